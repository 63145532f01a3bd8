//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOnceExitsWithTheCodeOfTheCommand(t *testing.T) {
	_, address := newStore(t)
	for _, c := range []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 3", 3},
		{"exit 64", 64},
		{"exit 255", 255},
		{"kill -USR1 $$", 128 + int(syscall.SIGUSR1)},
		{"kill -TERM $$", 143},
		{"kill -KILL $$", 137},
		{"kill -HUP $$", 129},
	} {
		if status, _, errs := call(t, "run", "--store", address, "--once", "k", "--", "sh", "-c",
			c.script); status != c.want {
			t.Errorf("%s: exit code is %d, want %d: %s", c.script, status, c.want, errs)
		}
	}
}

func TestTheCommandRunsOnWhileTheLeaseIsRenewed(t *testing.T) {
	_, address := newStore(t)
	status, out, errs := call(t, "run", "--store", address, "--ttl", "1s", "--once", "k", "--",
		"sh", "-c", "sleep 4; echo done; exit 6")
	if status != 6 || out != "done\n" {
		t.Errorf("exit code is %d, output %q: %s", status, out, errs)
	}
}

func TestAScriptWithoutAnInterpreterCannotBeExecuted(t *testing.T) {
	dir, address := newStore(t)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	status, _, errs := call(t, "run", "--store", address, "k", "--", script)
	if status != 127 || !strings.Contains(errs, "tenure run: cannot execute "+script+": no such file or directory\n") {
		t.Errorf("exit code is %d, it says %s", status, errs)
	}
	if status, _, _ := call(t, "status", "--store", address, "k"); status != 1 {
		t.Error("the lease was not released")
	}
}

func TestWaitGivesUp(t *testing.T) {
	dir, address := newStore(t)
	start(t, "run", "--store", address, "--name", "node-a", "k", "--", "sh", "-c", "echo up > "+dir+"/up; exec sleep 100")
	awaitLine(t, dir+"/up", "up")
	for _, wait := range []time.Duration{0, 300 * time.Millisecond} {
		begin := time.Now()
		status, _, errs := call(t, "run", "--store", address, "--wait", wait.String(), "k", "--", "touch", dir+"/second")
		if took := time.Since(begin); status != 75 || took < wait {
			t.Errorf("--wait %v: exit code is %d after %v, want 75", wait, status, took)
		}
		if want := "node-a leads \"k\" under term 1\n"; !strings.HasSuffix(errs, want) {
			t.Errorf("it says %q, want %q", errs, want)
		}
	}
	if _, err := os.Stat(dir + "/second"); err == nil {
		t.Error("the command ran")
	}
}

func TestWaitDoesNotEndATermThatWasWonInTime(t *testing.T) {
	_, address := newStore(t)
	status, out, _ := call(t, "run", "--store", address, "--wait", "2s", "--once", "k", "--",
		"sh", "-c", "sleep 2.5; echo done; exit 4")
	if status != 4 || out != "done\n" {
		t.Errorf("exit code is %d, output %q", status, out)
	}
}

func TestAStopThatIsAskedForExitsWithZero(t *testing.T) {
	for _, c := range []struct {
		name, script string
		signal       syscall.Signal
		flags        []string
	}{
		{"TERM", "exec sleep 100", syscall.SIGTERM, nil},
		{"INT", "exec sleep 100", syscall.SIGINT, nil},
		{"TERM with --once", "exec sleep 100", syscall.SIGTERM, []string{"--once"}},
		{"a command that fails when stopped", "trap 'exit 9' TERM; while :; do sleep 0.01; done", syscall.SIGTERM, nil},
		{"HUP that the command dies of", "exec sleep 100", syscall.SIGHUP, nil},
		{"QUIT that the command dies of", "exec sleep 100", syscall.SIGQUIT, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, address := newStore(t)
			args := append([]string{"run", "--store", address, "--ttl", "10m"}, c.flags...)
			p := start(t, append(args, "k", "--", "sh", "-c", "echo up > "+dir+"/up; "+c.script)...)
			awaitLine(t, dir+"/up", "up")
			p.signal(t, c.signal)
			if status := p.status(t); status != 0 {
				t.Errorf("exit code is %d, want 0", status)
			}
			if status, out, _ := call(t, "status", "--store", address, "k"); status != 1 {
				t.Errorf("the lease was not released: %s", out)
			}
		})
	}
}

func TestAStopWhileWaitingExitsWithZero(t *testing.T) {
	dir, address := newStore(t)
	start(t, "run", "--store", address, "k", "--", "sh", "-c", "echo up > "+dir+"/up; exec sleep 100")
	awaitLine(t, dir+"/up", "up")
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		p := start(t, "run", "--store", address, "--events", "json", "k", "--", "false")
		eventually(t, "it stands", func() bool { return strings.Contains(p.out.String(), `"held"`) })
		p.signal(t, s)
		if status := p.status(t); status != 0 {
			t.Errorf("%v: exit code is %d, want 0", s, status)
		}
	}
}

// With a lease of a minute the node itself would wait for ten seconds and then twenty.
func TestAStopDoesNotWaitForAStoreThatDoesNotAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whoever connects is never answered
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, l := range map[string]net.Listener{"silent": silent, "gone": gone} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "run", "--store", "redis://"+l.Addr().String(), "--ttl", "60s", "--events", "json", "k", "--", "true")
			eventually(t, "it asks", func() bool { return strings.Contains(p.out.String(), `"acquiring"`) })
			p.signal(t, syscall.SIGINT)
			if status := p.status(t); status != 0 {
				t.Errorf("exit code is %d, want 0", status)
			}
			if !strings.Contains(p.err.String(), "leaving without an answer of the store") {
				t.Errorf("it says %q", p.err)
			}
		})
	}
}

func TestASecondSignalKills(t *testing.T) {
	dir, address := newStore(t)
	p := start(t, "run", "--store", address, "--ttl", "10m", "k", "--", "sh", "-c",
		"trap 'echo asked >> "+dir+"/log' TERM; echo up >> "+dir+"/log; while :; do sleep 0.01; done")
	awaitLine(t, dir+"/log", "up")
	p.signal(t, syscall.SIGTERM)
	awaitLine(t, dir+"/log", "asked")
	p.signal(t, syscall.SIGINT)
	if status := p.status(t); status != 0 {
		t.Errorf("exit code is %d, want 0", status)
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	dir, address := newStore(t)
	script := `for s in HUP USR1 USR2 QUIT ALRM WINCH; do trap "echo $s >> $DIR/log" $s; done
echo up >> $DIR/log; while :; do sleep 0.01; done`
	p := start(t, "run", "--store", address, "k", "--", "env", "DIR="+dir, "sh", "-c", script)
	awaitLine(t, dir+"/log", "up")
	for name, s := range map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "QUIT": syscall.SIGQUIT,
		"ALRM": syscall.SIGALRM, "WINCH": syscall.SIGWINCH,
	} {
		p.signal(t, s)
		awaitLine(t, dir+"/log", name)
	}
}

func TestItStandsAgainAfterTheCommandHasEnded(t *testing.T) {
	for _, code := range []int{0, 1} {
		dir, address := newStore(t)
		start(t, "run", "--store", address, "--ttl", "1s", "k", "--", "sh", "-c",
			fmt.Sprintf("echo term $TENURE_TERM. >> %s/log; exit %d", dir, code))
		awaitLine(t, dir+"/log", "term 3.")
	}
}

func TestTheCommandFindsTheTermInItsEnvironment(t *testing.T) {
	_, address := newStore(t)
	p := tenure(t, "run", "--store", address, "--once", "--name", "node-a", "--ttl", "7s", "my key", "--",
		"sh", "-c",
		`echo "$TENURE_KEY|$TENURE_NAME|$TENURE_TERM|$TENURE_TTL"; test -S "$TENURE_SOCK" && env | grep -c ^TENURE_TERM=`)
	p.cmd.Env = append(p.cmd.Env, "TENURE_TERM=99", "TENURE_KEY=of another")
	p.start(t)
	if status := p.status(t); status != 0 || p.out.String() != "my key|node-a|1|7s\n1\n" {
		t.Errorf("exit code is %d, output %q", status, p.out)
	}
}

func TestTheCommandInheritsStandardInput(t *testing.T) {
	_, address := newStore(t)
	p := tenure(t, "run", "--store", address, "--once", "k", "--", "cat")
	p.cmd.Stdin = strings.NewReader("words")
	p.start(t)
	if status := p.status(t); status != 0 || p.out.String() != "words" {
		t.Errorf("exit code is %d, output %q", status, p.out)
	}
}
