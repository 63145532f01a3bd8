package simulate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/simulate"
)

// exact is a timing under which all clocks show the true time.
var exact = fsm.Timing{TTL: 15 * time.Second, Drift: -1}

// The leader reads a set, stands still for longer than its lease, goes on and writes the set back with one element
// more. Others have led and added meanwhile. The lease alone cannot protect their elements; the term can.
func ExampleWorld_ExpectViolation() {
	for _, kind := range []string{"guarded by the lease", "fenced by the term"} {
		added, lost := 0, 0
		passed, _ := goTest(func(t *testing.T) {
			simulate.Bubble(t, simulate.Cluster{Nodes: 3, Seeds: 30}, func(w *simulate.World) {
				set := w.FencedSet("set")
				if kind == "guarded by the lease" {
					set = w.GuardedSet("set")
					w.ExpectViolation("NothingLost")
				}
				set.Takes = 500 * time.Millisecond
				w.Lead("set", func(ctx context.Context, t *actor.Tenure) error {
					for n := 0; t.Leading(); n++ {
						if err := set.Add(ctx, t, fmt.Sprintf("%d.%d", t.Term(), n)); err != nil {
							return nil // the term is over
						}
						w.ClockOf(t).Sleep(500 * time.Millisecond)
					}
					return nil
				})
				w.At(20*time.Second, simulate.Fault{Kind: simulate.Pause, Target: simulate.TheLeader, For: 30 * time.Second})
				w.Expect(simulate.NothingLost(set), func(*simulate.World) error {
					added += len(set.Added())
					lost += len(set.Lost())
					return nil
				})
			})
		})
		fmt.Printf("%s: %d elements added, %d lost; as expected: %v\n", kind, added, lost, passed)
	}
	// Output:
	// guarded by the lease: 3096 elements added, 31 lost; as expected: true
	// fenced by the term: 3096 elements added, 0 lost; as expected: true
}
