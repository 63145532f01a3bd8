package simulate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/simulate"
)

// billing is a user's work, under whatever clock it is given.
func billing(ctx context.Context, sleep func(time.Duration) <-chan time.Time, write func(string) error) error {
	for n := 1; ; n++ {
		if err := write(fmt.Sprintf("bill %d", n)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-sleep(time.Second):
		}
	}
}

// testBilling is what stands in a user's test.
func testBilling(t *testing.T) {
	simulate.Bubble(t, simulate.Cluster{Nodes: 3, Seeds: 5}, func(w *simulate.World) {
		ledger := w.FencedStore("ledger")
		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
			out := ledger.With(t)
			return billing(ctx, w.ClockOf(t).After, func(s string) error { return out.Write(ctx, s) })
		})
		w.At(20*time.Second, simulate.Fault{Kind: simulate.Pause, Target: simulate.TheLeader, For: 40 * time.Second})
		w.At(30*time.Second, simulate.Fault{Kind: simulate.Cut, Target: 1, For: 10 * time.Second})
		w.HealAt(90 * time.Second)
		w.Expect(simulate.OneWriter(ledger), simulate.FailoverWithin(25*time.Second), simulate.Drained(2*time.Second))
	})
}

func TestBillingInABubble(t *testing.T) { testBilling(t) }

// What stands in a user's test; go test runs it.
func ExampleBubble() {
	_ = func(t *testing.T) {
		simulate.Bubble(t, simulate.Cluster{Nodes: 3}, func(w *simulate.World) {
			ledger := w.FencedStore("ledger")
			w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
				out := ledger.With(t)
				return billing(ctx, w.ClockOf(t).After, func(s string) error { return out.Write(ctx, s) })
			})
			w.At(20*time.Second, simulate.Fault{Kind: simulate.Pause, Target: simulate.TheLeader, For: 40 * time.Second})
			w.Expect(simulate.OneWriter(ledger), simulate.FailoverWithin(25*time.Second))
		})
	}
	fmt.Println("go test")
	// Output:
	// go test
}
