// Package mutants breaks the node on purpose, one rule at a time, and demands that the test named for it notices. It
// has no code to import. What a node leaves to its machines is broken in the like-named package of fsm.
package mutants

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/overlay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A mutant is the node with one fault.
type mutant struct {
	name   string
	killer string // the test, or the beginning of its name, that must fail
	file   string
	old    string // occurs exactly once in file
	new    string
}

var mutants = []mutant{
	{"an error is taken for a renewal (R1)", "TestR1_", "calls.go",
		"in.Kind, in.Permanent = fsm.Unknown,", "in.Permanent ="},
	{"an answer is weighed at the time it was read from the mailbox (R2)", "TestR2_Leading", "step.go",
		"	n.advance() // here", "	// here"},
	{"the work is told a moment later (R2)", "TestR2_At", "work.go", "	t.cancel(ended)\n",
		"	n.config.Clock.AfterFunc(1, func() { t.cancel(ended) })\n"},
	{"a tenure leads until somebody says otherwise (R2)", "TestR2_Leading", "work.go",
		"return !t.over.Load() && t.Remaining() > 0", "return !t.over.Load()"},
	{"Status leads until the actor says otherwise (R2)", "TestR2_Leading", "status.go",
		"st.State == fsm.Leader && st.Remaining > 0", "st.State == fsm.Leader"},
	{"a call runs on the goroutine of the actor (R2)", "TestR2_At", "calls.go",
		"		go e.run()", "		e.run()"},
	{"news is not read (R3)", "TestR3_News", "watch.go", "if r == nil || c.closed {", "if r == nil || r.Term > 0 {"},
	{"a refusal is taken for no answer (R3)", "TestR3_ARefused", "calls.go", "	case refused:\n		in.Kind",
		"	case refused && m.op == fsm.Acquire:\n		in.Kind"},
	{"the tenure of a lease has the term of the one before (R4)", "TestR4_", "work.go",
		"Holder: n.holder, Term: c.machine.Term()}", "Holder: n.holder, Term: c.machine.Term() - 1}"},
	{"calls do not name the term (R5)", "TestR5_Calls", "calls.go",
		"Renew(e, lease.Lease{Key: e.c.key, Holder: n.holder, Term: e.call.Term}",
		"Renew(e, lease.Lease{Key: e.c.key, Holder: n.holder}"},
	{"an incarnation is the name (R6)", "TestR6_", "node.go",
		"Incarnation: lease.NewIncarnation()", "Incarnation: c.Name"},
	{"no answer is taken for a refusal (R7, R12)", "TestR7_", "calls.go", "	switch {\n	case refused:",
		"	switch {\n	case refused, m.err != nil:"},
	{"stopped, what may have been granted is left (R7)", "TestAStopDuring", "run.go",
		"!n.stopping || (len(n.campaigns) > 0 || n.busy > 0) && !n.gaveUp", "!n.stopping"},
	{"work is taken to have returned when it is told to (R8)", "TestR8_TheLease", "step.go",
		"next.State() != fsm.Leader && !c.leads():", "next.State() != fsm.Leader:"},
	{"an overrun is kept quiet (R8)", "TestR8_After", "step.go", "		n.overran(c)\n", ""},
	{"the election ends while work runs (R9)", "TestR9_", "step.go", "next.State() != fsm.Leader && !c.leads():",
		"next.State() != fsm.Leader:"},
	{"any answer is taken for the awaited one (R10)", "TestR10_TheAnswer", "calls.go",
		"	record, refused := lease", "	_, in.Call = c.machine.Awaits()\n	record, refused := lease"},
	{"a late grant is kept (R10)", "TestR10_ALate", "calls.go", "	switch n.step(c, in, m.err); {",
		"	if _, awaited := c.machine.Awaits(); in.Call == awaited {\n		n.step(c, in, m.err)\n	}\n	switch {"},
	{"a late grant of an election that is over is kept (R10)", "TestALateGrantOf", "calls.go",
		"call.Op != fsm.NoCall { // granted", "false { // granted"},
	{"the wall clock is ignored (R11)", "TestR11_", "instant.go", "		slept += ahead\n", "		_ = ahead\n"},
	{"readers do not look at the wall clock (R11)", "TestR11_AHost", "instant.go", "		now += ahead\n", "		_ = ahead\n"},
	{"a sleep is noticed by the next timer (R11)", "TestR11_AHost", "step.go",
		"	if n.leading > 0 {", "	if n.leading < 0 {"},
	{"an end that was noticed late is not published (R13)", "TestR13_", "work.go", "	n.publish(t)\n}\n\n// overran",
		"	if m.Reason != fsm.Expired {\n		n.publish(t)\n	}\n}\n\n// overran"},
	{"the end is published before the work is told", "TestTheWorkIsTold", "node.go",
		"n.end(c.(*Campaign), m.Reason) }", "n.moved(c.(*Campaign), m); n.seq++; n.end(c.(*Campaign), m.Reason) }"},
	{"calls are not bounded", "TestNoMoreThanMaxCalls", "calls.go", "	if n.busy < n.patience() {\n		n.start(j)",
		"	if n.busy >= 0 {\n		n.start(j)"},
	{"followers may take every call", "TestFollowersThatAsk", "calls.go", "n.config.MaxCalls - n.config.MaxCalls/4 }",
		"n.config.MaxCalls }"},
	{"acquisitions go before renewals", "TestRenewalsGo", "calls.go", "		n.urgent.push(j)", "		n.patient.push(j)"},
	{"calls that do not return are not counted", "TestWhenAllHangs", "calls.go", "const maxOut = 2", "const maxOut = 100"},
	{"a context is not ended on time", "TestStatusTellsTheStores", "step.go", "		c.cancel(nil)\n", "		_ = c.cancel\n"},
	{"a call that took too long is no fault", "TestStatusTellsTheStores", "step.go",
		"	n.complain(c, fsm.Input{Kind: fsm.Unknown, Op: op}, err)\n", ""},
	{"the tick of a replaced timer is taken for that of the present one", "TestATimerThat", "run.go",
		"if m.number == n.timer {", "if m.number <= n.timer {"},
	{"what did not end in time is never Done", "TestCallsThatDoNotReturn|TestAWatchThatHangs", "run.go",
		"		n.close(c)\n	}\n	var first", "	}\n	var first"},
	{"the length of the lease is not asked for on news", "TestTTLFuncIsAskedBeforeAnAcquisition", "step.go",
		"fsm.Follower && n.retime(c)", "fsm.Follower && was.Wake() <= n.now && n.retime(c)"},
	{"a heartbeat begins while one runs", "TestHeartbeatsOf", "work.go", "x.beating, x.beatAt = true, fsm.Never",
		"x.beating, x.beatAt = true, n.now.Add(x.election.HeartbeatEvery)"},
	{"an election is over while its heartbeat runs", "TestAnElectionIsNotOver", "run.go", "		x.stopBeat(nil)\n		return\n",
		"		x.stopBeat(nil)\n"},
	{"of pause and resume the order is lost", "TestRequestsThat", "campaign.go", "		asked |= pausedLast\n", ""},
}

func TestTheNodeItselfPasses(t *testing.T) {
	var all []string
	for _, m := range mutants {
		all = append(all, m.killer)
	}
	if killed, out := judge(t, &mutant{killer: strings.Join(all, "|")}); killed {
		t.Fatalf("the tests that kill mutants fail without one:\n%s", out)
	}
}

func TestEveryMutantOfTheNodeIsKilled(t *testing.T) {
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			if killed, out := judge(t, &m); !killed {
				t.Errorf("%s: %s survives %s\n\t- %s\n\t+ %s\n%s", m.file, m.name, m.killer, m.old, m.new, out)
			}
		})
	}
}

// judge builds the tests of package actor with m in place of the node, runs its killer, and reports whether that
// failed.
func judge(t *testing.T, m *mutant) (killed bool, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "actor.test")
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", bin}
	if m.file != "" {
		args = append(args, "-overlay", m.overlay(t, dir))
	}
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	build.Dir = actorDir(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, bin, "-test.run", "^("+m.killer+")", "-test.failfast", "-test.timeout", "1m")
	cmd.Dir = actorDir(t)
	raw, err := cmd.CombinedOutput()
	raw = bytes.TrimSpace(raw)
	if bytes.Contains(raw, []byte("no tests to run")) {
		t.Fatalf("there is no test %s", m.killer)
	}
	return err != nil, string(raw[:min(len(raw), 4000)])
}

// overlay writes the mutant's source and the file that tells the compiler to take it instead.
func (m *mutant) overlay(t *testing.T, dir string) string {
	t.Helper()
	file, err := overlay.Write(dir, filepath.Join(actorDir(t), m.file), m.old, m.new)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return file
}

func actorDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
