//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// The demo is run as people run it: built, and without what the other tests put into the environment.
func TestTheBuiltDemoShowsAFailoverAndAHandover(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenure")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.Command(path, "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("\n%s", out)
	for _, want := range []string{
		`three processes stand for "demo"`, `leads under term 1; only`, `kill -9 \d+`,
		`leads under term 2, [1-9]\d?\.\d s later`,
		`tenure resign`, `leads under term 3, \d+ ms later`, `\*\* killed with SIGKILL`, `#X`, `handed over, winds down`,
		`Three terms, three leaders, and never two programs at once.\n$`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("it does not say %s", want)
		}
	}
}

func TestTheDemoLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	p := tenure(t, "demo")
	p.cmd.Env = append(p.cmd.Env, "TMPDIR="+dir, "XDG_RUNTIME_DIR=")
	p.start(t)
	eventually(t, "somebody leads", func() bool {
		return strings.Contains(p.out.String(),
			"leads under term 1")
	})
	p.signal(t, syscall.SIGINT)
	if status := p.status(t); status != 1 || !strings.HasSuffix(p.err.String(),
		"tenure demo: interrupted\n") {
		t.Errorf("exit code is %d, it says %q", status, p.err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
}

func ago(begin time.Time, seconds float64) time.Time {
	return begin.Add(time.Duration(seconds * float64(time.Second)))
}

// sample is a timeline of two nodes, the second of which begins at the given second.
func sample(second float64) timeline {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tl := timeline{begin: begin, names: []string{"node-a", "node-b"}}
	for s := 0.1; s < 1.0; s += 0.1 {
		tl.ticks = append(tl.ticks, tick{ago(begin, s), "node-a", 1})
	}
	for s := second; s < second+0.5; s += 0.1 {
		tl.ticks = append(tl.ticks, tick{ago(begin, s), "node-b", 2})
	}
	tl.marks = []mark{{ago(begin, 1), "node-a", "killed with SIGKILL"}}
	move := func(at float64, node string, from, to fsm.State, r fsm.Reason, term lease.Term) {
		tl.events = append(tl.events, events.Transition{At: ago(begin, at), Node: node, From: from, To: to,
			Reason: r, Term: term})
	}
	move(0.1, "node-a", fsm.Acquiring, fsm.Leader, fsm.Won, 1)
	move(0.2, "node-b", fsm.Acquiring, fsm.Follower, fsm.Held, 1)
	move(second, "node-b", fsm.Acquiring, fsm.Leader, fsm.Won, 2)
	return tl
}

func TestTheTimelineNoticesTwoProgramsAtOnce(t *testing.T) {
	third := tick{ago(sample(2).begin, 9), "node-a", 3}
	good := sample(2)
	good.ticks = append(good.ticks, third)
	if err := good.check(); err != nil {
		t.Errorf("a good timeline is refused: %v", err)
	}
	bad := sample(0.5)
	bad.ticks = append(bad.ticks, third)
	if err := bad.check(); err == nil || !strings.Contains(err.Error(),
		"node-b, term 2, ran beside that of node-a, term 1") {
		t.Errorf("two programs at once: %v", err)
	}
	falling := good
	falling.ticks = append([]tick{}, good.ticks...)
	falling.ticks[len(falling.ticks)-1].term = 1
	if falling.check() == nil {
		t.Error("a term that falls goes unnoticed")
	}
	if (&timeline{}).check() == nil || (&timeline{ticks: good.ticks[:3]}).check() == nil {
		t.Error("too few terms go unnoticed")
	}
}

func Example_timeline() {
	tl := sample(2)
	tl.draw(os.Stdout)
	// Output:
	// seconds  node-a                      node-b
	//    0.100  leads, term 1
	//    1.000  ** killed with SIGKILL
	//    2.000                              leads, term 2
	//
	//           |0s       |1s       |2s
	//   node-a  .#########X
	//   node-b  ....................#####
	//           # leads and runs its program   . follows   X killed
}
