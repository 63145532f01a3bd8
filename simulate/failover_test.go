package simulate

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// In a small world messages take no time once it is healed, a call that was lost before is still waited for, and
// back-offs double only once: see Timing in docs/SAFETY.md, of which this is the exact case.
func TestTheWorstFailoverOfASmallWorldIsTheOneInTheDocumentation(t *testing.T) {
	for _, timing := range []fsm.Timing{
		{TTL: 6, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 2},
		{TTL: 7, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 2, Drain: 2, Poll: 3},
		{TTL: 8, Renew: 2, Retry: 1, CallTimeout: 2, Grace: 1, Drain: 4, Poll: 2},
		{TTL: 7, Renew: 1, Retry: 2, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 1},
		{TTL: 6, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 5},
	} {
		unheld := 2*timing.Retry + timing.CallTimeout
		crashed := max(timing.TTL, unheld)
		resigned := max(crashed, timing.Poll+timing.Retry+2*timing.CallTimeout)
		unseen := max(unheld, min(timing.Poll, timing.TTL)) + timing.TTL // what is new is seen only then
		for _, c := range []struct {
			s    Small
			want time.Duration
		}{
			{Small{Nodes: 1}, unheld},
			{Small{Nodes: 1, Crashes: 1}, crashed},
			{Small{Nodes: 1, Crashes: 1, Resigns: 1}, resigned},
			{Small{Nodes: 2}, unheld},
			{Small{Nodes: 1, Store: Register}, unheld},
			{Small{Nodes: 1, Store: Register, Crashes: 1}, unseen},
		} {
			c.s.Heal, c.s.Timing = true, timing
			r, err := c.s.Explore()
			if err != nil || !r.Complete {
				t.Fatal(err, r.Report(c.s))
			}
			if r.Failover != int(c.want) {
				t.Errorf("%s: somebody leads within %d ticks of healing, want %d", c.s, r.Failover, c.want)
			}
		}
	}
	r, err := Small{Nodes: 2, Crashes: 1, Heal: true}.Explore()
	if err != nil || r.Failover != 6 {
		t.Errorf("two nodes, one crash: somebody leads within %d ticks of healing, want the TTL, 6 (%v)", r.Failover, err)
	}
}

func TestNoScheduleTakesLongerToALeaderThanTheDocumentationSays(t *testing.T) {
	for _, base := range []Scenario{{Nodes: 2}, {Nodes: 1}, {Nodes: 2, Store: Register}} {
		r, err := Campaign{Base: base, Seeds: 5000}.Run()
		if err != nil || r.Failed != nil {
			t.Fatal(err, r.Violation)
		}
		s := base.complete()
		most := time.Duration(s.afterHealing())
		t.Logf("%d nodes, %v store: %v at most, %v allowed", s.Nodes, s.Store, r.Failover, most)
		if r.Failover > most || r.Failover < s.Timing.TTL/2 {
			t.Errorf("%d nodes, %v store: %v; at least half a TTL is what faults are for, %v the most",
				s.Nodes, s.Store, r.Failover, most)
		}
	}
}
