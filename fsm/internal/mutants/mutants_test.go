// Package mutants breaks the election on purpose, one rule at a time, and demands that the tests of package fsm notice.
// It has no code to import.
package mutants

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/overlay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A mutant is the election with one fault.
type mutant struct {
	name string
	file string
	old  string // occurs exactly once in file
	new  string
}

const core, rest, timing = "fsm.go", "machine.go", "timing.go"

var mutants = []mutant{
	// R1: a lease counts from before the request was sent, and never shrinks.
	{"an Acquire counts from its answer", core, "m.sent.Add(m.timing.lead()) // from",
		"in.Now.Add(m.timing.lead()) // from"},
	{"a renewal counts from its answer", core, "func (m *Machine) extend() {\n",
		"func (m *Machine) extend() {\n\tm.sent += Instant(m.timing.Retry)\n"},
	{"a renewal makes the lease longer by its length", core, "max(m.until, m.sent.Add(m.timing.lead()))",
		"m.until.Add(m.timing.lead())"},
	{"a renewal does not count", core, "m.until = max(m.until, m.sent.Add(m.timing.lead()))\n", "\n"},
	{"the deadline ignores the grace", timing, "t.TTL - t.drift(t.TTL) - t.grace()", "t.TTL - t.drift(t.TTL)"},
	{"the deadline ignores the drift", timing, "t.TTL - t.drift(t.TTL) - t.grace()", "t.TTL - t.grace()"},

	// R2: the deadline comes before everything.
	{"the deadline is looked at on ticks only", core, "m.state == Leader && in.Now >= m.until {",
		"m.state == Leader && in.Now >= m.until && in.Kind == Tick {"},
	{"the deadline waits for the answer to a renewal", core, "	if m.state == Leader && in.Now >= m.until {",
		"	if m.awaits == NoCall && m.state == Leader && in.Now >= m.until {"},
	{"the deadline is one moment late", core, "m.state == Leader && in.Now >= m.until {",
		"m.state == Leader && in.Now > m.until {"},
	{"nobody is woken at the deadline", rest,
		"return min(limit, m.until)\n	}\n	switch {",
		"return limit\n	}\n	switch {"},
	{"Leading outlasts the deadline", rest, "m.state == Leader && now < m.until }", "m.state == Leader }"},
	{"a renewal may take longer than the lease", core, "m.call(Renew, now, m.until.Sub(now))",
		"m.call(Renew, now, m.timing.CallTimeout)"},

	// R3: the store's word counts, stale news does not.
	{"a refused renewal is ignored", core, "	case Refused:\n		m.leave(Lost, in.Now)\n", "	case Refused:\n"},
	{"stale news ends the term", core,
		"case in.Term > m.term, in.Term == m.term && in.Who != Us:",
		"case in.Who != Us:"},
	{"another holder of the same term is ignored", core, "in.Term > m.term, in.Term == m.term && in.Who != Us",
		"in.Term > m.term"},
	{"a greater term of our own is ignored", core,
		"case in.Term > m.term, in.Term",
		"case in.Term > m.term && in.Who != Us, in.Term"},
	{"news without a term is believed", core, "in.Term == 0 && in.Who != Us: // cannot", "false: // cannot"},
	{"news of an older term is heeded by a follower", core, "if in.Term < m.term { // stale", "if false { // stale"},
	{"a vacancy is passed by", core, "stand, m.next = Vacant, in.Now", "stand = Vacant"},
	{"a grant overtaken by news is used", core,
		"case over || in.Now >= m.until:",
		"case over && false || in.Now >= m.until:"},
	{"news is not heard while acquiring", core,
		"in.Who != Us && in.Term >= m.term { // a grant that",
		"false { // a grant that"},
	{"stale news is heard while acquiring", core,
		"in.Who != Us && in.Term >= m.term { // a grant that",
		"in.Who != Us { // a grant that"},
	{"a refusal beats the news that has overtaken it", core, "if m.vacant && in.Term <= m.term {", "if false {"},
	{"news of a vacancy beats a refusal that is newer", core, "if m.vacant && in.Term <= m.term {", "if m.vacant {"},
	{"a vacancy is remembered when the lease is held again", core, "m.term, m.vacant = in.Term, in.Who == Nobody",
		"m.term, m.vacant = in.Term, m.vacant || in.Who == Nobody"},
	{"a vacancy is remembered in the next attempt", core, "m.holdBack, m.vacant, m.left = false, false, None",
		"m.holdBack, m.left = false, None"},
	{"a late grant is not heard while acquiring", rest,
		"m.term = max(m.term, in.Term) // the answer",
		"// the answer"},

	// R5: every call carries the term in use.
	{"the term of a grant is not kept", core, "m.term, m.since, m.until = in.Term, in.Now,",
		"m.term, m.since, m.until = max(m.term, 1), in.Now,"},
	{"the term learnt in doubt is not released", core, "m.term, m.doubt, m.next = in.Term, false, in.Now",
		"m.doubt, m.next = false, in.Now"},

	// R7: unknown is neither done nor refused.
	{"an unknown renewal is taken for refused", core,
		"	case Refused:\n		m.leave(Lost",
		"	case Refused, Unknown:\n		m.leave(Lost"},
	{"an unknown renewal is taken for granted", core, "	case Granted:\n		m.extend()\n	case Refused:",
		"	case Granted, Unknown:\n		m.extend()\n	case Refused:"},
	{"an unknown Acquire leaves no doubt", core,
		"m.doubt = m.doubt || in.Op == Acquire",
		"m.doubt = m.doubt && in.Op == Acquire"},
	{"an end in doubt forgets the doubt", core, "		m.stopped = true\n", "		m.stopped, m.doubt = true, false\n"},
	{"a refused Acquire leaves the doubt", core, "	case Refused:\n		m.doubt = false\n", "	case Refused:\n"},
	{"stopped in doubt, it waits", core, "m.next = in.Now // matters only in doubt", "// matters only in doubt"},
	{"stopped, it ends in doubt", rest,
		"(m.stopped || m.paused) && !m.doubt {",
		"m.stopped || m.paused && !m.doubt {"},
	{"stopped, an unknown Acquire is left at that", core, "		case m.stopped: // it may have been granted",
		"		case false: // it may have been granted"},

	// R8: release only after the work, and keep the lease until then.
	{"release before the work has returned", core, "	if m.working {\n		return m.drain(in.Now)\n	}\n", ""},
	{"no renewal while the work winds down", core, "m.renewing = m.working &&", "m.renewing = false &&"},
	{"renewals go on after the drain limit", core, "m.renewing, m.overran = false, true", "m.overran = true"},
	{"renewals go on after a loss", core, "m.renewing && (m.gone || now >= m.until)", "m.renewing && now >= m.until"},
	{"renewals after the deadline", core, "m.renewing && (m.gone || now >= m.until)", "m.renewing && m.gone"},
	{"an expired leader is renewed while it winds down", core,
		"(r == Resigned ||",
		"(r == Expired || r == Resigned ||"},
	{"no release at the end", core, "	case m.gone:\n		m.follow(Gone", "	case m.gone, !m.doubt:\n		m.follow(Gone"},
	{"the release waits for the next renewal", core,
		"	if in.Op == Renew { // the last",
		"	if in.Op == Renew && in.Kind != Granted { // the last"},
	{"an overrun is not reported", core, "m.renewing, m.overran = false, true", "m.renewing = false"},

	// R9: one piece of work at a time.
	{"Releasing ends while the work runs", core, "	if m.working {\n		return m.drain(in.Now)\n	}\n",
		"	if m.working && in.Now < m.by {\n		return m.drain(in.Now)\n	}\n"},
	{"a paused follower stands", rest, "(m.stopped || m.paused) && !m.doubt {", "m.stopped && !m.doubt {"},
	{"a stopped follower stands", rest, "(m.stopped || m.paused) && !m.doubt {", "m.paused && !m.doubt {"},
	{"a paused machine leads", core, "		case m.paused:\n			m.leave(Paused, in.Now)\n		case over", "		case over"},
	{"a stopped machine leads", core,
		"		case m.stopped:\n			m.leave(Stopped, in.Now)\n		case m.paused",
		"		case m.paused"},
	{"a grant that came too late is used", core, "case over || in.Now >= m.until:", "case over:"},

	// R10: nobody listens to stale answers, but a late grant is handed back.
	{"any answer is taken for the awaited one", core,
		"m.awaits == NoCall || in.Call != m.calls",
		"m.awaits == NoCall"},
	{"an answer is taken twice", core, "m.awaits == NoCall || in.Call != m.calls", "in.Call != m.calls"},
	{"a late grant is kept", core, "return m.handBack(in)", "return Call{}"},
	{"a late grant is handed back from under the work", rest,
		"case in.Term == m.term, in.Term > m.term && m.working:",
		"case in.Term == m.term:"},
	{"a grant told twice hands back the lease in use", rest, "case in.Term == m.term, in.Term > m.term && m.working:",
		"case in.Term > m.term && m.working:"},
	{"two calls at once", core, "if m.awaits != NoCall || now < m.next {", "if now < m.next {"},
	{"call numbers are used again", rest, "	m.calls++\n", "	m.calls = m.calls%4 + 1\n"},

	// R12 and the pace.
	{"an unknown renewal is not asked for again", core,
		"m.next = in.Now.Add(m.jitter(m.timing.Retry))",
		"m.next = Never"},
	{"an unknown renewal is asked for again at once", core,
		"m.next = in.Now.Add(m.jitter(m.timing.Retry))",
		"m.next = in.Now"},
	{"a call without an answer is awaited for ever", rest,
		"limit := m.sent.Add(m.timing.CallTimeout)",
		"limit := Never"},
	{"renewed too late for a second try", core, "	m.next = m.sent.Add(m.jitter(m.timing.Renew))\n}",
		"	m.next = m.until\n}"},
	{"work that returns at once is started again at once", rest,
		"rest := t.Poll + t.Retry",
		"rest := time.Duration(0)"},
	{"work that fails at once is started again at the same pace", rest, "t.Poll<<m.failures", "t.Poll"},
	{"failures are never forgotten", rest, "	case !m.failed:\n		m.failures = 0\n", "	case !m.failed:\n"},
	{"attempts without an answer do not slow down", rest, "m.timing.Retry << (m.tries - 1)", "m.timing.Retry"},
	{"a permanent fault is asked about as often", rest, "d = max(d, 4*m.timing.Poll)", ""},
	{"a follower waits for nothing", rest,
		"return min(poll, max(remaining, m.timing.TTL/1000))",
		"return min(poll, remaining)"},
	{"a follower waits for the whole lease", rest,
		"return min(poll, max(remaining, m.timing.TTL/1000))",
		"return remaining"},
	{"a follower that hears of another puts off", core, "m.next = min(m.next, in.Now.Add(m.wait(in.Remaining)))",
		"m.next = in.Now.Add(m.wait(in.Remaining))"},
	{"a vacancy cuts the rest short", core, "if !m.holdBack && in.Who == Nobody {", "if in.Who == Nobody {"},
	{"handed over, the next attempt is ours", rest, "return 2 * t.TTL", "return 0"},
	{"handed over, the successor is not seen", core,
		"if m.holdBack && m.left == HandedOver && another {",
		"if false && another {"},
	{"handed over, the successor is not seen while releasing", core,
		"if m.left == HandedOver && in.Who != Us && in.Term > m.term {", "if false {"},
	{"handed over, a successor whose term is over does not count", core,
		"in.Who == Other || in.Who == Nobody && in.Term > m.term // whose", "in.Who == Other // whose"},
	{"an old hand-over cuts a back-off short", core, "m.holdBack, m.vacant, m.left = false, false, None",
		"m.holdBack, m.vacant = false, false"},
	{"a long outage slows the next Acquire down", core, "m.tries = 0 // what calls", "// what calls"},
	{"resumed, it does not stand", core, "m.next, m.holdBack = in.Now, false", "m.holdBack = false"},
	{"resumed, it stays paused", core, "m.paused = in.Kind == Pause", "m.paused = true"},
	{"a second Drained counts", rest, "	if !m.working {\n		return\n	}\n	m.working = false", "	m.working = false"},
}

var (
	fault = regexp.MustCompile(
		`(?m)^\s+\w+_test\.go:\d+: (?:step \d+: )?((?:R\d+|call|host|live|rest|table|wake): [^\n]*)`)
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
)

// TestTheElectionItselfPasses is the control: what kills mutants lets the election live. It also is where the whole
// walk runs without the race detector.
func TestTheElectionItselfPasses(t *testing.T) {
	readAll(t)
	if killer, out := judge(t, nil); killer != "" {
		t.Fatalf("%s\n%s", killer, out)
	}
}

func TestEveryMutantOfTheElectionIsKilled(t *testing.T) {
	began := time.Now()
	for _, m := range mutants {
		killer, out := judge(t, &m)
		if killer == "" {
			t.Errorf("%s: %s: no test notices\n\t- %s\n\t+ %s\n%s", m.file, m.name, m.old, m.new, out)
			continue
		}
		t.Logf("%-60s %s", m.name, killer)
	}
	t.Logf("%d mutants, %v", len(mutants), time.Since(began).Round(time.Second))
}

// judge builds the tests of package fsm with m in place of the election, and runs the smaller walk, then all. It
// returns what noticed, or "".
func judge(t *testing.T, m *mutant) (killer, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "fsm.test")
	args := []string{"test", "-c", "-vet=off", "-o", bin}
	if m != nil {
		args = append(args, "-overlay", m.overlay(t, dir))
	}
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	build.Dir = fsmDir(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	for _, run := range []string{"^TestEveryReachable/^tiny$", "^(Test|Fuzz)"} {
		cmd := exec.CommandContext(ctx, bin, "-test.run", run, "-test.failfast", "-test.timeout", "1m")
		cmd.Dir = fsmDir(t)
		raw, err := cmd.CombinedOutput()
		out = string(bytes.TrimSpace(raw))
		switch {
		case err == nil:
			continue
		case fault.MatchString(out):
			return fault.FindStringSubmatch(out)[1], out
		case failed.MatchString(out):
			return failed.FindStringSubmatch(out)[1], out
		}
		t.Fatalf("%v\n%s", err, out)
	}
	return "", out
}

// readAll reads what this test depends on, which is how go test learns when its result may not be taken from the cache.
func readAll(t *testing.T) {
	t.Helper()
	for _, dir := range []string{fsmDir(t), filepath.Join(fsmDir(t), "..", "lease")} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			_, err = os.ReadFile(name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// overlay writes the mutant's source and the file that tells the compiler to take it instead.
func (m *mutant) overlay(t *testing.T, dir string) string {
	t.Helper()
	file, err := overlay.Write(dir, filepath.Join(fsmDir(t), m.file), m.old, m.new)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return file
}

func fsmDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
