package simulate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

func TestNoScheduleOfFaultsBreaksARule(t *testing.T) {
	for _, c := range []Cluster{
		{Nodes: 5, Seeds: 10_000},
		{Nodes: 2, Seeds: 5_000, First: 1 << 32},
		{Nodes: 4, Seeds: 5_000, First: 1 << 35, Store: Register},
		{Nodes: 3, Seeds: 5_000, First: 1 << 33, TTL: time.Second},
		{Nodes: 3, Seeds: 5_000, First: 1 << 34, Timing: fsm.Timing{
			TTL: 6 * time.Second, Renew: time.Second, CallTimeout: 2 * time.Second,
			Retry: 500 * time.Millisecond, Grace: 200 * time.Millisecond,
		}},
	} {
		Run(t, c)
	}
}

func TestACampaignMakesEveryMoveAndMeetsEveryFaultAndDuty(t *testing.T) {
	r, err := Campaign{Base: Scenario{Nodes: 5}, Seeds: 20_000}.Run()
	if err != nil || r.Failed != nil {
		t.Fatal(err, r.Violation)
	}
	if made := r.Coverage.Moves(); !slices.Equal(made, fsm.Moves()) {
		t.Errorf("moves made: %v\nwant all of:  %v", made, fsm.Moves())
	}
	met := r.Coverage.Faults()
	for k := FaultKind(1); int(k) < faultKinds; k++ {
		if Expiring.has(k) && !slices.Contains(met, k) {
			t.Errorf("no schedule met the fault %v", k)
		}
	}
	if unmet := r.Coverage.Unmet(); len(unmet) > 0 {
		t.Errorf("this never happened: %v", unmet)
	}
}

// With a bare register a process has one request under way and never hears of those that it gave up.
func TestACampaignOverARegisterMeetsEveryDutyThatItCan(t *testing.T) {
	r, err := Campaign{Base: Scenario{Nodes: 4, Store: Register}, Seeds: 10_000}.Run()
	if err != nil || r.Failed != nil {
		t.Fatal(err, r.Violation)
	}
	if unmet := r.Coverage.Unmet(); !slices.Equal(unmet, []Duty{HandedBack, LateAfterStop}) {
		t.Errorf("this never happened: %v", unmet)
	}
}

func TestAScenarioAlwaysPlaysTheSame(t *testing.T) {
	for seed := range uint64(300) {
		s := Plan(Scenario{Nodes: 4}, seed)
		once, err := Play(s)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Parse(strings.NewReader(s.String()))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again, err := Play(read)
		if err != nil {
			t.Fatal(err)
		}
		if once.Digest != again.Digest || !slices.Equal(once.Entries, again.Entries) {
			t.Fatalf("seed %d plays with digest %x and, read back from its script, %x", seed, once.Digest, again.Digest)
		}
	}
}

// A store that breaks its word is outside of the promise: two may lead. The simulator must see it, or it sees nothing.
func TestAStoreThatExpiresEarlyIsCaught(t *testing.T) {
	s, err := Parse(strings.NewReader(`tenure scenario 1
nodes 3
ttl 15s
watch false
early at 20s by 14s
`))
	if err != nil {
		t.Fatal(err)
	}
	trace, err := Play(s)
	if err != nil {
		t.Fatal(err)
	}
	if v := trace.Violation; v.Rule != "R1" || !v.Beyond {
		t.Errorf("violation: %q; two must work at once, outside of the promise\n%s", v, trace.Timeline())
	}
}

func TestShrinkKeepsOnlyTheFaultsThatAreNeeded(t *testing.T) {
	for seed := range uint64(40) {
		s := Plan(Scenario{Nodes: 5}, seed)
		s.Watch = false
		s.Faults = append(s.Faults, Fault{Kind: Early, Target: TheStore, At: 20500 * time.Millisecond, By: 14 * time.Second})
		before, err := Play(s)
		if err != nil {
			t.Fatal(err)
		}
		if before.Violation.Rule == "" {
			continue
		}
		small, plays := Shrink(s)
		after, err := Play(small)
		if err != nil {
			t.Fatal(err)
		}
		if after.Violation.Rule != before.Violation.Rule {
			t.Fatalf("seed %d: %s became %s", seed, before.Violation, after.Violation)
		}
		for i := range small.Faults {
			less := small
			less.Faults = slices.Delete(slices.Clone(small.Faults), i, i+1)
			if trace, err := Play(less); err != nil || trace.Violation.Rule == before.Violation.Rule {
				t.Errorf("seed %d: %q is not needed (%v)", seed, small.Faults[i], err)
			}
		}
		if lines := strings.Count(after.Timeline(), "\n"); lines > 60 {
			t.Errorf("seed %d: the timeline has %d lines", seed, lines)
		}
		if len(small.Faults) > 3 || plays > 1000 {
			t.Errorf("seed %d: %d faults left after %d replays", seed, len(small.Faults), plays)
		}
	}
}

// A failure is kept as it was made small, and whoever runs the test again sees it before anything else is played.
func TestWhatFailedIsKeptAndPlayedFirst(t *testing.T) {
	s, err := Parse(strings.NewReader(firstLine + "\nnodes 2\nheal 30s\nend 30.001s\nseed 77\n" +
		"down at 0s for 30s\ncut n1 at 3s for 2s\n"))
	if err != nil {
		t.Fatal(err)
	}
	s = s.complete()
	trace, err := Play(s)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, said := inTest("TestFound", func(t *testing.T) {
		fails(t, Result{Failed: &s, Violation: trace.Violation}, dir)
	})
	kept := filepath.Join(dir, "live-77.scenario")
	for _, want := range []string{
		"seed 77 violates live at 30.001s", "1 of 2 faults are needed (", "kept in " + kept, "picture: ", "replay: t1:",
		"func TestReplay(t *testing.T)",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the test says %s\nwant %q in it", said, want)
		}
	}
	script, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(script), "down at ") || strings.Contains(string(script), "cut ") {
		t.Errorf("kept is %s (%v)", script, err)
	}
	ok, said := inTest("TestAgain", func(t *testing.T) {
		Run(t, Cluster{Keep: dir, Seeds: 2_000_000_000}) // which would take days
	})
	if ok || !strings.Contains(said, "simulate: live at ") {
		t.Errorf("played again, the test passes: %v, and says %s", ok, said)
	}
}
