package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// The script of the tests below takes a file lock that every process it starts inherits. So nobody can take it while
// one process of an earlier leader is alive, and whoever cannot take it reports an overlap.
const (
	// stubborn cannot be asked to end, and has children in its group and outside.
	stubborn = `exec 9>"$DIR/lock"; flock -n 9 || echo overlap >> "$DIR/log"
trap '' TERM INT HUP; sleep 1000 & (sleep 1000 &) ; setsid sleep 1000 &
echo "up $TENURE_NAME $TENURE_TERM." >> "$DIR/log"; while :; do sleep 1000; done`
	// tidy takes its time to end.
	tidy = `exec 9>"$DIR/lock"; flock -n 9 || echo overlap >> "$DIR/log"
trap 'sleep 0.3; echo "down $TENURE_NAME $TENURE_TERM." >> "$DIR/log"; exit' TERM
echo "up $TENURE_NAME $TENURE_TERM." >> "$DIR/log"; while :; do sleep 0.01; done`
)

// pair is two tenures of one election; a leads and b follows.
type pair struct {
	a, b *proc
	log  string
	mark string
}

func newPair(t *testing.T, ttl, script string) *pair {
	t.Helper()
	dir, address := newStore(t)
	p := &pair{log: dir + "/log", mark: "MARK=" + lease.NewIncarnation()}
	stand := func(name string) *proc {
		q := tenure(t, "run", "--store", address, "--name", name, "--ttl", ttl, "--events", "json", "k", "--", "sh",
			"-c", script)
		q.cmd.Env = append(q.cmd.Env, "DIR="+dir, p.mark)
		return q.start(t)
	}
	p.a = stand("node-a")
	awaitLine(t, p.log, "up node-a 1.")
	p.b = stand("node-b")
	eventually(t, "node-b stands", func() bool { return strings.Contains(p.b.out.String(), `"held"`) })
	t.Cleanup(func() {
		if strings.Contains(read(p.log), "overlap") {
			t.Errorf("two commands ran at once: %s", read(p.log))
		}
	})
	return p
}

// marked lists the processes that carry the mark and that match.
func (p *pair) marked(match string) []int {
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err == nil && bytes.Contains(env, []byte(p.mark)) && bytes.Contains(env, []byte(match)) {
			found = append(found, atoi(filepath.Base(filepath.Dir(path))))
		}
	}
	return found
}

func TestNoCommandRunsBesideTheNextLeaders(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(t *testing.T, p *pair)
	}{
		{"the leader is killed", func(t *testing.T, p *pair) { p.a.signal(t, syscall.SIGKILL) }},
		{"the leader is stopped", func(t *testing.T, p *pair) { p.a.signal(t, syscall.SIGSTOP) }},
		{"the guardian is killed", func(t *testing.T, p *pair) { kill(t, p.a.guardian(t), syscall.SIGKILL) }},
		{"the guardian is stopped", func(t *testing.T, p *pair) { kill(t, p.a.guardian(t), syscall.SIGSTOP) }},
		{"the leader is asked to end", func(t *testing.T, p *pair) { p.a.signal(t, syscall.SIGTERM) }},
		{"the leader is asked twice", func(t *testing.T, p *pair) {
			p.a.signal(t, syscall.SIGTERM)
			time.Sleep(50 * time.Millisecond)
			p.a.signal(t, syscall.SIGTERM)
		}},
		{"the leader resigns", func(t *testing.T, p *pair) {
			if status, _, errs := call(t, "resign", "--store", p.a.cmd.Args[3], "k"); status != 0 {
				t.Errorf("resign exits with %d: %s", status, errs)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, "2s", stubborn)
			begin := time.Now()
			c.harm(t, p)
			awaitLine(t, p.log, "up node-b ")
			t.Logf("the next command ran after %v", time.Since(begin).Round(time.Millisecond))
			if left := p.marked("TENURE_NAME=node-a"); len(left) > 0 {
				t.Errorf("processes %v of the old leader run beside the new one's", left)
			}
		})
	}
}

// guardian returns the process ID of the guardian, which is the only child of a tenure.
func (p *proc) guardian(t *testing.T) int {
	t.Helper()
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat := read(path)
		fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && fields[1] == itoa(p.cmd.Process.Pid) {
			return atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	t.Fatal("there is no guardian")
	return 0
}

func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func TestAGuardianThatDiesWhileWaitingIsReplaced(t *testing.T) {
	p := newPair(t, "5s", tidy)
	kill(t, p.b.guardian(t), syscall.SIGKILL)
	p.a.signal(t, syscall.SIGTERM)
	awaitLine(t, p.log, "up node-b 2.")
	if !strings.Contains(p.b.err.String(), "guardian has died while waiting") {
		t.Errorf("the log does not say so: %s", p.b.err)
	}
}

func TestATenureWhoseFileIsReplacedGoesOn(t *testing.T) {
	dir, address := newStore(t)
	image, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tenure")
	if err := os.WriteFile(path, image, 0o700); err != nil {
		t.Fatal(err)
	}
	p := tenure(t, "run", "--store", address, "--ttl", "1s", "k", "--", "sh", "-c",
		"echo term $TENURE_TERM. >> "+dir+"/log")
	p.cmd.Path = path
	p.start(t)
	awaitLine(t, dir+"/log", "term 1.")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/false\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, dir+"/log", "term 4.")
}

func TestALeaderThatWasStoppedTooLongFollowsWhenItGoesOn(t *testing.T) {
	p := newPair(t, "1s", stubborn)
	p.a.signal(t, syscall.SIGSTOP)
	awaitLine(t, p.log, "up node-b ")
	p.a.signal(t, syscall.SIGCONT)
	eventually(t, "node-a follows", func() bool {
		return strings.Contains(p.a.out.String(), `"from":"releasing","to":"follower"`)
	})
	p.a.signal(t, syscall.SIGTERM)
	if status := p.a.status(t); status != 0 {
		t.Errorf("exit code is %d", status)
	}
}

func TestTheCommandEndsPolitelyBeforeTheNextStarts(t *testing.T) {
	p := newPair(t, "60s", tidy)
	begin := time.Now()
	p.a.signal(t, syscall.SIGTERM)
	awaitLine(t, p.log, "up node-b ")
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("the next command ran after %v, before the first could have ended", took)
	}
	if want := "up node-a 1.\ndown node-a 1.\nup node-b 2.\n"; read(p.log) != want {
		t.Errorf("log is %q, want %q", read(p.log), want)
	}
}

func TestAResignedLeaderGivesWayAndStandsBy(t *testing.T) {
	p := newPair(t, "5s", tidy)
	status, out, errs := call(t, "resign", "--store", p.a.cmd.Args[3], "k")
	if status != 0 || out != "k: node-a has stepped down from term 1\n" {
		t.Fatalf("exit code is %d, it says %q, %q", status, out, errs)
	}
	awaitLine(t, p.log, "up node-b 2.")
	p.b.signal(t, syscall.SIGTERM)
	awaitLine(t, p.log, "up node-a 3.")
}

func TestCheckSucceedsOnlyWhileTheParentLeads(t *testing.T) {
	p := newPair(t, "10m", `trap '' TERM; echo "up $TENURE_NAME $TENURE_TERM." >> "$DIR/log"
"$TENURE" check; echo "at first $?." >> "$DIR/log"
until [ -e "$DIR/stopped" ]; do sleep 0.01; done
"$TENURE" check --timeout 200ms; echo "tenure stopped $?." >> "$DIR/log"; sleep 100`)
	dir := filepath.Dir(p.log)
	awaitLine(t, p.log, "at first 0.")
	p.a.signal(t, syscall.SIGSTOP)
	if err := os.WriteFile(dir+"/stopped", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, p.log, "tenure stopped 69.")
}

func TestCheckFailsOnceTheTermHasEnded(t *testing.T) {
	p := newPair(t, "10m", `trap '' TERM; echo "up $TENURE_NAME $TENURE_TERM." >> "$DIR/log"
"$TENURE" check; echo "at first $?." >> "$DIR/log"
until [ -e "$DIR/asked" ]; do sleep 0.01; done
"$TENURE" check; echo "resigned $?." >> "$DIR/log"
TENURE_TERM=9 "$TENURE" check; echo "another term $?." >> "$DIR/log"; sleep 100`)
	awaitLine(t, p.log, "at first 0.")
	p.a.signal(t, syscall.SIGTERM)
	eventually(t, "it winds down", func() bool {
		return strings.Contains(p.a.out.String(),
			`"to":"releasing"`)
	})
	if err := os.WriteFile(filepath.Dir(p.log)+"/asked", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, p.log, "resigned 1.")
	awaitLine(t, p.log, "another term 1.")
}

func TestALeaderThatCannotRenewEndsItsCommandInsideTheLease(t *testing.T) {
	const ttl = 6 * time.Second
	p := newPair(t, ttl.String(), stubborn)
	store := strings.TrimPrefix(p.a.cmd.Args[3], "file:")
	if err := os.Rename(store, store+"-away"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "the command is gone", func() bool {
		return len(p.marked("TENURE_NAME=node-a")) == 0
	})
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("the command was killed after %v, although the lease lasted on", took)
	} else if took > 2*ttl { // it may take a while to be seen
		t.Errorf("the command was killed after %v, with a lease of %v", took, ttl)
	}
	if err := os.Rename(store+"-away", store); err != nil {
		t.Fatal(err)
	}
	eventually(t, "somebody leads again", func() bool { return strings.Count(read(p.log), "up ") >= 2 })
}

func TestAStoreThatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	// A directory in which nobody can create files, not even the superuser.
	status, _, errs := call(t, "run", "--store", "file:/sys/kernel", "k", "--", "true")
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	if last := lines[len(lines)-1]; status != 69 || !strings.Contains(last, "/sys/kernel") {
		t.Errorf("exit code is %d, want 69; it says %q", status, last)
	}
}
