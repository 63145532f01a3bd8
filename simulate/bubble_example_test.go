package simulate_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/simulate"
)

// goTest runs f as go test would, and returns whether it passed and what it said.
func goTest(f func(t *testing.T)) (passed bool, said string) {
	return simulate.InTest("TestBilling", f)
}

// billing is a user's work, under whatever clock it is given.
func billing(ctx context.Context, after func(time.Duration) <-chan time.Time, write func(string) error) error {
	for n := 1; ; n++ {
		if err := write(fmt.Sprintf("bill %d", n)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-after(time.Second):
		}
	}
}

// The user's own work, on three nodes. The leader stands still for longer than its lease, and a node is cut off.
func ExampleBubble() {
	test := func(t *testing.T) {
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
	passed, _ := goTest(test)
	fmt.Println("passed:", passed)
	// Output:
	// passed: true
}

// sloppy is work that asks whether it leads and writes a little later, whatever has happened since.
func sloppy(w *simulate.World, ledger *simulate.Resource) {
	w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
		out, c := ledger.With(t), w.ClockOf(t)
		for ctx.Err() == nil {
			if t.Leading() {
				c.Sleep(300 * time.Millisecond) // it makes out the bill
				_ = out.Write(context.WithoutCancel(ctx), "bill")
			}
			c.Sleep(700 * time.Millisecond)
		}
		return nil
	})
}

// Without a fence, sloppy work loses. Of six faults one is needed for that, and of five nodes three.
func ExampleBubble_shrunk() {
	dir, err := os.MkdirTemp("", "kept")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	_, said := goTest(func(t *testing.T) {
		simulate.Bubble(t, simulate.Cluster{Nodes: 5, First: 2, Keep: dir}, func(w *simulate.World) {
			ledger := w.UnfencedStore("ledger")
			sloppy(w, ledger)
			w.At(5*time.Second, simulate.Fault{Kind: simulate.Cut, Target: 1, For: 10 * time.Second})
			w.At(13*time.Second, simulate.Fault{Kind: simulate.Sluggish, For: 9 * time.Second, By: 80 * time.Millisecond})
			w.At(20300*time.Millisecond, simulate.Fault{Kind: simulate.Pause, Target: simulate.TheLeader, For: 41 * time.Second})
			w.At(0, simulate.Fault{Kind: simulate.LoseAnswer, Target: 2, Call: 7})
			w.At(35*time.Second, simulate.Fault{Kind: simulate.Deaf, For: 4 * time.Second})
			w.At(50*time.Second, simulate.Fault{Kind: simulate.Crash, Target: 4, For: 3 * time.Second})
			w.Expect(simulate.OneWriter(ledger))
		})
	})
	report, _, _ := strings.Cut(said[strings.Index(said, "1 of 6"):], "kept in")
	for line := range strings.Lines(report) {
		fmt.Println(strings.TrimRight(strings.TrimPrefix(line, "        "), "\n "))
	}
	// Output:
	// 1 of 6 faults are needed (28 replays)
	//
	// FAIL OneWriter at 1m0.302733s: ledger: n2 writes under term 1; n1 had under term 2 at 59.981s
	// seed 2  digest 45618c8c9e4a69cb  nodes 3  ttl 15s  store expiring
	//   pause leader at 20.3s for 40s
	//         |0s         |10.3s      |20.7s      |31s        |41.3s      |51.7s
	//   n0     ?....?....?....?....?....?.....?....??....?.....?....?.....?....?...?!.
	//   n1       ?....?.....?....?....?....?....?...################################!#
	//   n2     ######################zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz!?
	//   store -11111111111111111111111111111111111112222222222222222222222222222222222
	//      60.1761s  store: acquire of n0 #15 refused; n1 has term 2
	//      60.1809s  n0 learns: acquire refused
	//      60.1809s  n0 acquiring -> follower (held), term 2
	//      60.2267s  n1 asks #14: renew
	//      60.2346s  store: renew of n1 #14 granted; n1 has term 2
	//      60.2443s  n1 learns: renew granted
	//      60.3000s  n2 leader -> releasing (expired), term 1
	//      60.3000s  over: pause leader at 20.3s for 40s
	//      60.3027s  n2 writes under term 1: accepted
	//      60.3027s  OneWriter at 1m0.302733s: ledger: n2 writes under term 1; n1 had under term 2 at 59.981s
}

// A pasted test: one script, with the work that it failed with.
func ExampleReplayBubble() {
	passed, _ := goTest(func(t *testing.T) {
		simulate.ReplayBubble(t, `tenure scenario 1
nodes 2
ttl 15s
pause leader at 20s for 41s
`, func(w *simulate.World) {
			ledger := w.FencedStore("ledger") // mended
			sloppy(w, ledger)
			w.Expect(simulate.OneWriter(ledger))
		})
	})
	fmt.Println("passed:", passed)
	// Output:
	// passed: true
}

// Forty schedules with whatever can go wrong, each of them with faults of its own.
func ExampleWorld_Plan() {
	accepted, refused := 0, 0
	passed, _ := goTest(func(t *testing.T) {
		simulate.Bubble(t, simulate.Cluster{Nodes: 3, Seeds: 40}, func(w *simulate.World) {
			ledger := w.FencedStore("ledger")
			sloppy(w, ledger)
			w.Plan()
			w.Expect(simulate.OneWriter(ledger), func(*simulate.World) error {
				for _, k := range ledger.Writes() {
					if k.Refused {
						refused++
					} else {
						accepted++
					}
				}
				return nil
			})
		})
	})
	fmt.Println("passed:", passed, "- thousands of writes:", accepted > 2000, "- stale ones refused:", refused > 0)
	// Output:
	// passed: true - thousands of writes: true - stale ones refused: true
}

// Nodes on Mock clocks do what nodes in the time of the bubble do.
func ExampleWorld_Mocks() {
	var digests []uint64
	for _, mocks := range []bool{false, true} {
		goTest(func(t *testing.T) {
			simulate.Bubble(t, simulate.Cluster{Nodes: 3, Timing: exact}, func(w *simulate.World) {
				if mocks {
					w.Mocks()
				}
				ledger := w.FencedStore("ledger")
				sloppy(w, ledger)
				w.At(20*time.Second, simulate.Fault{Kind: simulate.Crash, Target: simulate.TheLeader, For: 30 * time.Second})
				w.Expect(func(w *simulate.World) error {
					digests = append(digests, w.Trace().Digest)
					return nil
				})
			})
		})
	}
	fmt.Println("two runs:", len(digests) == 2, "of one digest:", digests[0] == digests[1])
	// Output:
	// two runs: true of one digest: true
}
