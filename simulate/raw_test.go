package simulate

import (
	"testing"

	"github.com/go-tenure/tenure/fsm"
)

// What an exploration leaves out to have few states (symmetry aside) makes no difference: with instants since the
// start, true terms and numbers of calls, and every message kept, the same states are reached within the same number
// of events. The depth ends before a third attempt in a row fails: the growth of back-offs from then on is left out,
// see fsm.Packed. That comes later if one waits longer before the second.
func TestAnExplorationThatLeavesNothingOutReachesTheSameStates(t *testing.T) {
	slow := fsm.Timing{TTL: 8, Renew: 1, Retry: 3, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 2}
	for _, c := range []struct {
		depth int
		s     Small
	}{
		{10, Small{Nodes: 1, Crashes: 1, Resigns: 1, Hands: 1, Cordons: 1, Stops: 1, Returns: 1, News: 1}},
		{14, Small{Nodes: 2}},
		{11, Small{Nodes: 2, Crashes: 1, Pauses: 1, Resigns: 1}},
		{11, Small{Nodes: 2, Letters: 2}},
		{17, Small{Nodes: 1, Crashes: 1, Resigns: 1, Timing: slow}},
		{15, Small{Nodes: 1, Store: Register, Crashes: 1, Pauses: 1, Resigns: 1, Stops: 1, Timing: slow}},
		{18, Small{Nodes: 2, Store: Register, Timing: slow}},
		{13, Small{Nodes: 2, Store: Register, Crashes: 1, Letters: 2, Timing: slow}},
	} {
		c.s.NoSymmetry, c.s.MaxDepth = true, c.depth
		packed := newExplorer(c.s.complete())
		packed.run()
		all, states := exploreRaw(c.s.complete())
		t.Logf("%s: %d events deep, %d states of %d", c.s, c.depth, packed.r.States, states)
		if packed.r.Violation.Rule != "" || all.r.Violation.Rule != "" {
			t.Errorf("violations: %v, %v", packed.r.Violation, all.r.Violation)
		}
		missing, more := 0, 0
		for _, h := range packed.seen.places {
			if h != 0 && !all.seen.has(h) {
				missing++
			}
		}
		for _, h := range all.seen.places {
			if h != 0 && !packed.seen.has(h) {
				more++
			}
		}
		if missing != 0 || more != 0 || packed.seen.n == 0 {
			t.Errorf("%s: %d states are reached only with, %d only without leaving things out", c.s, missing, more)
		}
	}
}

// has reports whether h is in the table.
func (t *table) has(h uint64) bool {
	for i := t.home(h); t.places[i] != 0; i = (i + 1) % len(t.places) {
		if t.places[i] == h {
			return true
		}
	}
	return false
}

// exploreRaw explores s to its depth with nothing left out, and returns how many states it has told apart.
func exploreRaw(s Small) (*explorer, int) {
	x := newExplorer(s)
	scout := newScout(&x.s)
	scout.raw = &raw{seen: map[smallWorld]bool{}}
	var b batch
	scout.begin(&b)
	x.take(&b)
	for range s.MaxDepth {
		layer := scout.raw.next
		scout.raw.next = nil
		for i := range layer {
			b.reset()
			scout.enter(&layer[i])
			scout.expand()
			x.take(&b)
		}
	}
	return x, len(scout.raw.seen)
}
