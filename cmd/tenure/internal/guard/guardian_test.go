//go:build unix

package guard_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
)

const (
	minute = time.Minute
	// prompt is what anything may take that is to be done at once, on a busy machine.
	prompt = 10 * time.Second
	// forever is a script that goes on and answers signals promptly.
	forever = "while :; do sleep 0.01; done"
)

// prepare returns a guardian that is closed when the test ends.
func prepare(t *testing.T) *guard.Guardian {
	t.Helper()
	g, err := guard.Prepare(self(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(t.Context()); err != nil && !closed(g.Gone(), prompt) {
			t.Errorf("guardian did not end: %v", err)
		}
	})
	return g
}

// sh starts a shell script under a guardian.
func sh(t *testing.T, script string, d guard.Deadline) *guard.Guardian {
	t.Helper()
	g := prepare(t)
	if _, err := g.Start(shell(script), d); err != nil {
		t.Fatal(err)
	}
	return g
}

// running starts a shell script that goes on for ever after its beginning, and returns when that is done.
func running(t *testing.T, beginning string) *guard.Guardian {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	g := sh(t, beginning+"echo > "+ready+"; "+forever, within(minute, minute))
	await(t, ready)
	return g
}

func shell(script string) guard.Command {
	return guard.Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: os.Environ(), Grace: 100 * time.Millisecond,
	}
}

func closed(c <-chan struct{}, within time.Duration) bool {
	select {
	case <-c:
		return true
	case <-time.After(within):
		return false
	}
}

func gone(t *testing.T, g *guard.Guardian) guard.Exit {
	t.Helper()
	if !closed(g.Gone(), prompt) {
		t.Fatalf("command is not gone after %v", prompt)
	}
	return g.Exit()
}

// await waits until the file appears and returns its text.
func await(t *testing.T, path string) string {
	t.Helper()
	for range 1000 {
		if text, err := os.ReadFile(path); err == nil && strings.HasSuffix(string(text), "\n") {
			return strings.TrimSpace(string(text))
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s did not appear", path)
	return ""
}

func TestTheExitOfTheCommandIsReported(t *testing.T) {
	for _, c := range []struct {
		script string
		want   guard.Exit
		status int
	}{
		{"exit 0", guard.Exit{}, 0},
		{"exit 7", guard.Exit{Code: 7}, 7},
		{"kill -USR1 $$", guard.Exit{Signal: syscall.SIGUSR1}, 128 + int(syscall.SIGUSR1)},
		{"kill -KILL $$", guard.Exit{Signal: syscall.SIGKILL}, 137},
	} {
		t.Run(c.script, func(t *testing.T) {
			got := gone(t, sh(t, c.script, within(minute, minute)))
			if got != c.want || got.Status() != c.status {
				t.Errorf("exit is %+v with status %d, want %+v with %d", got, got.Status(), c.want, c.status)
			}
		})
	}
}

func TestACommandThatCannotBeExecutedIsRefusedLikeAShellDoes(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{filepath.Join(dir, "missing"): 127, plain: 126, dir: 126} {
		_, err := prepare(t).Start(guard.Command{Path: path, Args: []string{path}}, within(minute, minute))
		var refused *guard.StartError
		if !errors.As(err, &refused) || refused.Status() != status {
			t.Errorf("%s: error is %v, want a StartError of status %d", path, err, status)
		}
	}
}

func TestArgumentsAndEnvironmentNeedNotBeText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	c := shell(`printf %s. "$1" "$ODD" > "$OUT"; echo >> "$OUT"`)
	c.Args = append(c.Args, "sh", "a\xffb")
	c.Env = append(c.Env, "ODD=\xfe\x01", "OUT="+path)
	g := prepare(t)
	if _, err := g.Start(c, within(minute, minute)); err != nil {
		t.Fatal(err)
	}
	if got := await(t, path); got != "a\xffb.\xfe\x01." {
		t.Errorf("the command sees %q", got)
	}
	gone(t, g)
}

func TestACommandIsNotStartedPastItsDeadline(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := prepare(t).Start(shell("echo > "+mark), within(-time.Millisecond, minute))
	if !errors.Is(err, guard.ErrLate) {
		t.Errorf("error is %v, want ErrLate", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command was started")
	}
}

func TestTheGroupIsAskedAtTheSoftDeadline(t *testing.T) {
	g := running(t, "trap 'exit 9' TERM; ")
	start := time.Now()
	g.Extend(within(300*time.Millisecond, minute))
	exit := gone(t, g)
	if exit != (guard.Exit{Code: 9}) {
		t.Errorf("exit is %v, want code 9 without force", exit)
	}
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("asked after %v, before the soft deadline", took)
	}
}

func TestTheGroupIsKilledAtTheHardDeadline(t *testing.T) {
	g := running(t, "trap '' TERM; ")
	start := time.Now()
	g.Extend(within(100*time.Millisecond, 400*time.Millisecond))
	exit := gone(t, g)
	if exit.Signal != syscall.SIGKILL || !atTheEnd(exit) {
		t.Errorf("exit is %v, want killed because the lease ends", exit)
	}
	if took := time.Since(start); took < 400*time.Millisecond {
		t.Errorf("gone after %v, want soon after 400ms", took)
	}
}

// atTheEnd reports whether the end of the lease was why the command was killed: by the guardian, or, if the machine
// is so busy that the guardian got no turn in time, by us.
func atTheEnd(e guard.Exit) bool {
	return e.Forced == "the lease ends" || e.Forced == "the guardian died"
}

func TestAStoppedCommandIsKilledAtTheHardDeadline(t *testing.T) {
	g := running(t, "trap '' TERM CONT; (sleep 0.1; kill -STOP $$) & ")
	g.Extend(within(200*time.Millisecond, 300*time.Millisecond))
	if exit := gone(t, g); exit.Signal != syscall.SIGKILL {
		t.Errorf("exit is %v, want killed", exit)
	}
}

func TestEachDeadlineReplacesTheOneBefore(t *testing.T) {
	g := running(t, "")
	for range 60 {
		g.Extend(within(2*time.Second, minute))
		if closed(g.Gone(), 50*time.Millisecond) {
			t.Fatal("gone although the deadline was moved on")
		}
	}
	last := time.Now()
	gone(t, g)
	if took := time.Since(last); took < time.Second {
		t.Errorf("gone %v after the last renewal, which was for 2s", took)
	}
}

func TestADeadlineMayBeMovedBack(t *testing.T) {
	g := sh(t, "exec sleep 100", within(minute, minute))
	g.Extend(within(0, minute))
	if exit := gone(t, g); exit.Signal != syscall.SIGTERM {
		t.Errorf("exit is %v, want SIGTERM", exit)
	}
}

func TestStopAsksAndKillsAfterTheGrace(t *testing.T) {
	dir := t.TempDir()
	g := sh(t, "trap 'echo > "+dir+"/asked' TERM; echo > "+dir+"/ready; "+forever, within(minute, minute))
	await(t, dir+"/ready")
	start := time.Now()
	g.Stop(200 * time.Millisecond)
	await(t, dir+"/asked")
	exit := gone(t, g)
	if exit.Forced != "it did not end within the grace" || time.Since(start) < 200*time.Millisecond {
		t.Errorf("exit is %v after %v, want forced after 200ms", exit, time.Since(start))
	}
}

func TestTheGraceNeverOutlivesTheLease(t *testing.T) {
	g := running(t, "trap '' TERM; ")
	start := time.Now()
	g.Extend(within(300*time.Millisecond, 500*time.Millisecond))
	g.Stop(minute)
	if exit := gone(t, g); !atTheEnd(exit) {
		t.Errorf("exit is %v after %v, want killed as the lease ends", exit, time.Since(start))
	}
}

func TestKillDoesNotAsk(t *testing.T) {
	dir := t.TempDir()
	g := sh(t, "trap 'echo > "+dir+"/asked' TERM; echo > "+dir+"/ready; "+forever, within(minute, minute))
	await(t, dir+"/ready")
	g.Kill()
	if exit := gone(t, g); exit.Signal != syscall.SIGKILL {
		t.Errorf("exit is %v, want SIGKILL", exit)
	}
	if _, err := os.Stat(dir + "/asked"); err == nil {
		t.Error("the command was asked first")
	}
}

func TestSignalsReachTheWholeGroup(t *testing.T) {
	for _, s := range guard.Forwarded() {
		s := s.(syscall.Signal)
		if s == syscall.SIGCONT {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			dir := t.TempDir()
			// Two shells of one group, each with a trap of its own; in a pipe, because a shell in the background is deaf to
			// QUIT.
			one := "(trap 'echo > " + dir + "/NAME' " + name(s) + "; echo > " + dir + "/ready-NAME; " + forever + ")"
			two := strings.ReplaceAll(one, "NAME", "inner") + " | " + strings.ReplaceAll(one, "NAME", "outer")
			script := "trap : " + name(s) + "; " + two
			g := sh(t, script, within(minute, minute))
			await(t, dir+"/ready-inner")
			await(t, dir+"/ready-outer")
			g.Signal(s)
			await(t, dir+"/inner")
			await(t, dir+"/outer")
			g.Kill()
			gone(t, g)
		})
	}
}

func name(s syscall.Signal) string {
	return map[syscall.Signal]string{
		syscall.SIGHUP: "HUP", syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2", syscall.SIGWINCH: "WINCH",
		syscall.SIGQUIT: "QUIT", syscall.SIGALRM: "ALRM",
	}[s]
}

func TestWhatTheCommandLeavesBehindIsAskedThenKilled(t *testing.T) {
	dir := t.TempDir()
	g := sh(t, "(trap 'echo > "+dir+"/asked' TERM; echo > "+dir+"/ready; while :; do sleep 0.01; done) & "+
		"until [ -e "+dir+"/ready ]; do sleep 0.01; done; exit 3", within(minute, minute))
	exit := gone(t, g)
	if exit != (guard.Exit{Code: 3, Forced: "it did not end within the grace"}) {
		t.Errorf("exit is %v, want code 3 and the rest killed", exit)
	}
	await(t, dir+"/asked")
}

func TestWhatTheCommandLeavesBehindIsKilledAtTheHardDeadline(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	c := shell("(trap '' TERM; echo > " + ready + "; " + forever + ") & until [ -e " + ready + " ]; do sleep 0.01; done")
	c.Grace = minute
	g := prepare(t)
	if _, err := g.Start(c, within(minute, minute)); err != nil {
		t.Fatal(err)
	}
	await(t, ready)
	start := time.Now()
	g.Extend(within(time.Second, 3*time.Second))
	exit := gone(t, g)
	if took := time.Since(start); !atTheEnd(exit) || took < 3*time.Second {
		t.Errorf("exit is %v after %v, want killed soon after 3s", exit, took)
	}
}

func TestAGuardianThatWasNotGivenACommandLeaves(t *testing.T) {
	g := prepare(t)
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestOrdersBeforeTheStartDoNothing(t *testing.T) {
	g := prepare(t)
	g.Signal(syscall.SIGKILL)
	g.Stop(0)
	if _, err := g.Start(shell("exit 5"), within(minute, minute)); err != nil {
		t.Fatal(err)
	}
	if exit := gone(t, g); exit != (guard.Exit{Code: 5}) {
		t.Errorf("exit is %v, want code 5", exit)
	}
}

func TestAKillBeforeTheStartPreventsIt(t *testing.T) {
	g := prepare(t)
	g.Kill()
	mark := filepath.Join(t.TempDir(), "mark")
	if _, err := g.Start(shell("echo > "+mark), within(minute, minute)); err == nil {
		t.Error("the command was started")
	}
	gone(t, g)
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command ran")
	}
}
