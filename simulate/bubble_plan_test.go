package simulate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
)

// planned plays the schedule of engine A for a seed, without what a bubble cannot play, with work that writes, winds
// down for as long as it may, and at times returns or fails on its own.
func planned(t *testing.T, nodes int, seed uint64) *World {
	return bubble(t, Cluster{Nodes: nodes}, seed, func(w *World) {
		ledger := w.FencedStore("ledger")
		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
			out, c := ledger.With(t), w.ClockOf(t)
			for k := 0; ctx.Err() == nil && k < 20; k++ {
				if t.Leading() {
					_ = out.Write(ctx, fmt.Sprint(k))
				}
				select {
				case <-ctx.Done():
				case <-c.After(700 * time.Millisecond):
				}
			}
			takes := draw(seed, uint64(t.Term()), 0, forDrain)
			c.Sleep(time.Duration(upTo(takes, int64(2*time.Second))))
			if takes%5 == 0 {
				return fmt.Errorf("term %d failed", t.Term())
			}
			return nil
		})
		w.Plan()
		w.Expect(OneWriter(ledger))
	})
}

func TestWhateverGoesWrongNodesAndMachinesAgree(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 30
	}
	var events int
	reasons := map[fsm.Reason]bool{}
	for seed := range seeds {
		w := planned(t, 1+int(seed%5), seed)
		for _, err := range w.failures {
			t.Error(err)
		}
		if len(w.failures) > 0 {
			t.Fatalf("seed %d\n%s", seed, w.trace.Timeline())
		}
		events += w.world.events
		for _, e := range w.trace.Entries {
			if e.Kind == Moved {
				reasons[e.Reason] = true
			}
		}
	}
	for _, m := range fsm.Moves() {
		if !reasons[m.Reason] && m.Reason != fsm.Late && seeds > 100 {
			t.Errorf("no node ever moved for %v", m.Reason)
		}
	}
	t.Logf("%d events in %d schedules", events, seeds)
}
