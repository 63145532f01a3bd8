package simulate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// Cluster is what a user's test simulates. The zero value of a field is given with it.
type Cluster struct {
	Nodes  int           // 0: 3
	TTL    time.Duration // 0: Timing.TTL, or else 15 s
	Timing fsm.Timing    // zero fields derive from the TTL
	Store  StoreKind     // what the store is like
	Seeds  int           // how many schedules; 0: 10 000, and one in a bubble
	First  uint64        // the first seed
	// Keep is where scripts that failed are kept; they are played first. Empty: testdata/simulate. Those of a bubble are
	// in a directory below that is named after the test.
	Keep string
	// Twice has a bubble play each seed twice and fail if it goes two ways, which shows whether the test is repeatable.
	Twice bool
}

func (c Cluster) base() Scenario {
	s := Scenario{Nodes: c.Nodes, Timing: c.Timing, Store: c.Store}
	if c.TTL != 0 {
		s.Timing.TTL = c.TTL
	}
	return s
}

// Run plays schedules of faults over the election with the timing of c, first those that failed before, and fails t
// with everything there is to see of the first that violates a rule: the shrunken script, the timeline, a token to
// replay it with, and a test to paste. It uses no goroutine and no real time.
func Run(t testing.TB, c Cluster) {
	t.Helper()
	if c.Keep == "" {
		c.Keep = filepath.Join("testdata", "simulate")
	}
	kept, err := filepath.Glob(filepath.Join(c.Keep, "*.scenario"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		replayFile(t, path)
	}
	r, err := Campaign{Base: c.base(), First: c.First, Seeds: c.Seeds}.Run()
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed == nil {
		t.Logf("simulate: %d schedules, %d events, %v of simulated time, %d cells, %d of the %d that can be reached; "+
			"digest %016x", r.Schedules, r.Events, r.Simulated, len(r.Coverage.Cells()),
			len(Reachable())-len(r.Coverage.Missing()), len(Reachable()), r.Digest)
		return
	}
	fails(t, r, c.Keep)
}

// fails keeps the scenario that r found, made small, in a directory, and fails t with all there is to see of it.
func fails(t testing.TB, r Result, dir string) {
	t.Helper()
	small, plays := Shrink(*r.Failed)
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.scenario", strings.ToLower(r.Violation.Rule), r.Failed.Seed))
	if err := keep(path, small); err != nil {
		t.Errorf("simulate: the script could not be kept: %v", err)
	}
	t.Fatalf("simulate: seed %d violates %s\n%d of %d faults are needed (%d replays)\n%s", r.Failed.Seed, r.Violation,
		len(small.Faults), len(r.Failed.Faults), plays, report(small, *r.Failed, path))
}

// Explore visits every state that the world s can reach and fails t if a rule is broken, with a shortest way to that;
// or if there are more than s.MaxStates. It logs exactly what was explored.
func Explore(t testing.TB, s Small) {
	t.Helper()
	r, err := s.Explore()
	if err != nil {
		t.Fatal(err)
	}
	if r.Violation.Rule != "" || !r.Complete {
		t.Fatalf("simulate: %s", r.Report(s))
	}
	t.Logf("simulate: %s", r.Report(s))
}

// Replay plays one scenario, given as a script or a token, and fails t if it violates a rule. It is what a pasted test
// calls.
func Replay(t testing.TB, script string) {
	t.Helper()
	s, err := read(script)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := Play(s)
	if err != nil {
		t.Fatal(err)
	}
	if v := trace.Violation; v.Rule != "" && !v.Beyond {
		t.Fatalf("simulate: %s\n%s", v, trace.Timeline())
	}
}

// read reads a script or a token.
func read(script string) (Scenario, error) {
	if word := strings.TrimSpace(script); strings.HasPrefix(word, tokenPrefix) {
		return ParseToken(word)
	}
	return Parse(strings.NewReader(script))
}

func replayFile(t testing.TB, path string) {
	t.Helper()
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("simulate: %s", path)
	Replay(t, string(script))
}

// keep writes s where it will be played first from now on.
func keep(path string, s Scenario) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(s.String()), 0o644)
}

// picture writes what happened, and what happened in the scenario it was shrunk from, as an HTML file and returns its
// path.
func picture(trace, before *Trace, path string) (string, error) {
	var b bytes.Buffer
	if err := trace.HTML(&b, before); err != nil {
		return "", err
	}
	path = strings.TrimSuffix(path, ".scenario") + ".html"
	return path, os.WriteFile(path, b.Bytes(), 0o644)
}

// report is what a person sees of a failure: s, which was shrunk from original and kept at path.
func report(s, original Scenario, path string) string {
	trace, err := Play(s)
	if err != nil {
		return err.Error()
	}
	before, err := Play(original)
	if err != nil {
		return err.Error()
	}
	return trace.show(before, path, fmt.Sprintf("simulate.Replay(t, `%s`)", trace.Scenario))
}

// show draws t, which was shrunk from before and kept at path, and says how to play it again: by the call of replay.
func (t *Trace) show(before *Trace, path, replay string) string {
	seen, err := picture(t, before, path)
	if err != nil {
		seen = "not to be had: " + err.Error()
	}
	return fmt.Sprintf("\n%s\nkept in %s\npicture: %s\nreplay: %s\n\nfunc TestReplay(t *testing.T) {\n\t%s\n}\n",
		t.Timeline(), path, seen, t.Scenario.Token(), replay)
}
