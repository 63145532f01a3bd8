package guard_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// stubborn is a command that cannot be asked and has children in every corner: in its group, orphaned in its group, in
// a session of their own, and orphaned in a session of their own with a child.
const stubborn = `trap '' TERM HUP INT; sleep 1000 & (sleep 1000 &)
setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &)
echo > "$READY"; while :; do sleep 1000; done`

// polite is the same without the ears closed.
const polite = `sleep 1000 & (sleep 1000 &) ; echo > "$READY"; sleep 1000; exit 1`

// holder is a process that guards a command and can be harmed.
type holder struct {
	cmd             *exec.Cmd
	out             *bufio.Reader
	mark            string // is in the environment of the command and of all it starts
	group, guardian int
}

func newHolder(t *testing.T, soft, hard, script string) *holder {
	t.Helper()
	h := &holder{mark: lease.NewIncarnation()}
	ready := filepath.Join(t.TempDir(), "ready")
	h.cmd = exec.Command(self(), "hold", soft, hard, "/usr/bin/env", "MARK="+h.mark, "/bin/sh", "-c", script)
	h.cmd.Env = append(os.Environ(), "READY="+ready)
	h.cmd.Stderr = t.Output()
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.cmd.WaitDelay = 5 * time.Second
	t.Cleanup(func() {
		h.cmd.Process.Kill()
		if h.guardian > 0 {
			syscall.Kill(h.guardian, syscall.SIGKILL)
		}
		for _, pid := range h.alive() { // They hold our standard error open, and Wait waits for that.
			syscall.Kill(pid, syscall.SIGKILL)
		}
		h.cmd.Wait()
	})
	h.out = bufio.NewReader(out)
	if _, err := fmt.Fscan(h.out, &h.group, &h.guardian); err != nil {
		t.Fatal(err)
	}
	await(t, ready)
	return h
}

// alive lists the processes that carry the mark.
func (h *holder) alive() []int {
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		if env, err := os.ReadFile(path); err == nil && bytes.Contains(env, []byte("MARK="+h.mark)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}

// dead waits until nothing carries the mark and returns how long that took.
func (h *holder) dead(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	for len(h.alive()) > 0 {
		if time.Since(start) > prompt {
			t.Fatalf("processes %v still run after %v", h.alive(), prompt)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

func TestNothingOfTheCommandOutlivesItsLease(t *testing.T) {
	for _, c := range []struct {
		name       string
		harm       func(h *holder) error
		soft, hard string
		least      time.Duration
	}{
		{"tenure is killed", func(h *holder) error { return h.cmd.Process.Kill() }, "1m", "1m", 0},
		{"tenure is stopped", func(h *holder) error { return h.cmd.Process.Signal(syscall.SIGSTOP) },
			"2s", "3s", time.Second},
		{"the guardian is killed", func(h *holder) error { return syscall.Kill(h.guardian, syscall.SIGKILL) },
			"1m", "1m", 0},
		{"the guardian is stopped", func(h *holder) error { return syscall.Kill(h.guardian, syscall.SIGSTOP) },
			"2s", "3s", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHolder(t, c.soft, c.hard, stubborn)
			for begin := time.Now(); len(h.alive()) < 7; time.Sleep(time.Millisecond) {
				if time.Since(begin) > 10*time.Second {
					t.Fatalf("%d processes run, want 7", len(h.alive()))
				}
			}
			if err := c.harm(h); err != nil {
				t.Fatal(err)
			}
			if took := h.dead(t); took < c.least {
				t.Errorf("dead after %v, too early", took)
			}
		})
	}
}

func TestTheCommandItselfDiesEvenIfTenureIsStoppedAndTheGuardianKilled(t *testing.T) {
	h := newHolder(t, "1m", "1m", stubborn)
	if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.guardian, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); !zombie(h.group); time.Sleep(time.Millisecond) {
		if time.Since(begin) > prompt {
			t.Fatal("the command runs on with nobody to guard it")
		}
	}
}

func TestAStoppedTenureLetsTheCommandEndPolitely(t *testing.T) {
	h := newHolder(t, "1s", "30s", polite)
	if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h.dead(t)
}

func TestATenureThatWasStoppedTooLongLearnsThatTheCommandIsGone(t *testing.T) {
	h := newHolder(t, "1s", "1500ms", stubborn)
	if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h.dead(t)
	for !zombie(h.guardian) {
		time.Sleep(time.Millisecond)
	}
	if err := h.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.out.ReadString('\n')
	line, err := h.out.ReadString('\n')
	if err != nil || line != "signal 9 (killed), group killed: the lease ends\n" {
		t.Errorf("tenure says %q, %v", line, err)
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestTenureLearnsThatTheGuardianDied(t *testing.T) {
	h := newHolder(t, "10s", "15s", stubborn)
	if err := syscall.Kill(h.guardian, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.out.ReadString('\n')
	line, err := h.out.ReadString('\n')
	if err != nil || line != "signal 9 (killed), group killed: the guardian died\n" {
		t.Errorf("tenure says %q, %v", line, err)
	}
	if left := h.alive(); len(left) > 0 {
		t.Errorf("tenure said so while %v still ran", left)
	}
}

func TestTheGuardianIsDeafToWhatEverybodyGets(t *testing.T) {
	h := newHolder(t, "10s", "15s", polite)
	for _, s := range []syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTIN,
		syscall.SIGTTOU, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE,
	} {
		if err := syscall.Kill(h.guardian, s); err != nil {
			t.Fatal(err)
		}
	}
	// It still guards: the death of tenure is noticed.
	time.Sleep(50 * time.Millisecond)
	if len(h.alive()) == 0 {
		t.Fatal("the command ended")
	}
	h.cmd.Process.Kill()
	h.dead(t)
}
