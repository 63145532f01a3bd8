package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
)

// movesOf are the moves of a trace, and what answers made nodes believe, with the instants.
func movesOf(tr *Trace) []string {
	var all []string
	for _, e := range tr.Entries {
		switch e.Kind {
		case Moved:
			all = append(all, fmt.Sprintf("%v n%d %v -> %v (%v) term %d until %d", e.At, e.Node, e.From, e.To, e.Reason, e.Term,
				e.Until))
		case Answered:
			all = append(all, fmt.Sprintf("%v n%d #%d %v %v until %d", e.At, e.Node, e.Call, e.Op, e.Answer, e.Until))
		}
	}
	return all
}

// sameSteps fails unless b made the same moves at the same instants as a.
func sameSteps(t *testing.T, a, b *Trace) {
	t.Helper()
	left, right := movesOf(a), movesOf(b)
	for i := range max(len(left), len(right)) {
		if i >= len(left) || i >= len(right) || left[i] != right[i] {
			t.Fatalf("step %d of %d and %d:\n%s\n%s", i, len(left), len(right),
				strings.Join(left[max(0, i-2):min(len(left), i+2)], "\n"),
				strings.Join(right[max(0, i-2):min(len(right), i+2)], "\n"))
		}
	}
}

// winding is work that does nothing, and takes as long to return as it does in a schedule of the seed.
func winding(w *World, seed uint64) {
	var tenures [MaxNodes]uint64
	w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
		i := t.Lease().Holder.Name[1] - '0'
		tenures[i]++ // of one node only one runs at a time
		<-ctx.Done()
		takes := draw(seed, uint64(i), tenures[i], forDrain)
		w.Clock().Sleep(time.Duration(upTo(takes, int64(3*time.Second)*3/4)))
		return nil
	})
}

// On clocks that all show the true time nodes on Mocks, nodes in the bubble's time and the schedule of engine A make
// the same moves at the same instants, and the two kinds of nodes have the same digest.
func TestNodesOnMocksNodesInTheBubblesTimeAndASchedulePlayTheSameElection(t *testing.T) {
	played := 0
	for _, f := range stories {
		if fault, err := ParseFault(strings.Split(f.script, ";")[0]); err != nil || !onMocks(fault) {
			continue
		}
		for _, watch := range []bool{false, true} {
			played++
			t.Run(fmt.Sprintf("%s, watch %v", f.name, watch), func(t *testing.T) {
				play := func(mocks bool) *World {
					w := bubble(t, Cluster{Nodes: 3, Timing: fsm.Timing{TTL: 15 * time.Second, Drift: -1}}, 11, func(w *World) {
						winding(w, 11)
						if watch {
							w.Watch()
						}
						if mocks {
							w.Mocks()
						}
						tell(t, w, f.script)
					})
					mustPass(t, w)
					return w
				}
				onMocks, inBubble := play(true), play(false)
				if onMocks.digest != inBubble.digest {
					t.Errorf("digest %016x on Mocks, %016x in the bubble's time", onMocks.digest, inBubble.digest)
				}
				schedule, err := Play(inBubble.scenario)
				if err != nil {
					t.Fatal(err)
				}
				sameSteps(t, inBubble.trace, onMocks.trace)
				sameSteps(t, schedule, onMocks.trace)
			})
		}
	}
	if played < 30 {
		t.Errorf("only %d stories were played", played)
	}
}

func TestWhateverGoesWrongOnMocksNodesAndMachinesAgree(t *testing.T) {
	for seed := range uint64(60) {
		w := bubble(t, Cluster{Nodes: 1 + int(seed%4)}, seed, func(w *World) {
			ledger := w.FencedStore("ledger")
			biller(w, ledger)
			w.Mocks()
			w.Plan()
			w.Expect(OneWriter(ledger))
		})
		if len(w.failures) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, w.failures, w.picture())
		}
	}
}

func TestTheClockOfWorkOnAMockIsOnTime(t *testing.T) {
	played := false
	w := bubble(t, Cluster{Nodes: 2}, 2, func(w *World) {
		w.Mocks()
		w.Lead("billing", func(ctx context.Context, tenure *actor.Tenure) error {
			if played {
				<-ctx.Done()
				return nil
			}
			played = true
			c, start := w.ClockOf(tenure), w.Now()
			same := func(what string, want time.Duration) {
				t.Helper()
				if now := w.Now() - start; now != want {
					t.Errorf("%s: after %v, expected %v", what, now, want)
				}
			}
			c.Sleep(700 * time.Millisecond)
			same("Sleep", 700*time.Millisecond)
			<-c.After(300 * time.Millisecond)
			same("After", time.Second)
			stopped := c.Timer(time.Second)
			if !stopped.Stop() {
				t.Error("Stop did not stop a timer")
			}
			ticker := c.Ticker(150 * time.Millisecond)
			for range 4 {
				<-ticker.C
			}
			ticker.Stop()
			same("Ticker", 1600*time.Millisecond)
			<-c.Tick(400 * time.Millisecond)
			same("Tick", 2*time.Second)
			limited, cancel := c.WithTimeout(ctx, time.Second)
			<-limited.Done()
			same("WithTimeout", 3*time.Second)
			if !errors.Is(limited.Err(), context.DeadlineExceeded) {
				t.Errorf("it ended with %v", limited.Err())
			}
			cancel()
			limited, cancel = c.WithDeadline(ctx, c.Now().Add(time.Second))
			cancel()
			if !errors.Is(limited.Err(), context.Canceled) {
				t.Errorf("it was cancelled with %v", limited.Err())
			}
			fired := make(chan time.Duration)
			c.AfterFunc(0, func() { fired <- w.Now() })
			if at := <-fired; at != w.Now() {
				t.Errorf("a timer of no length fired at %v", at)
			}
			<-ctx.Done()
			t := c.Ticker(time.Second) // winding down goes on when the schedule has ended
			<-t.C
			<-t.C
			return nil
		})
	})
	if mustPass(t, w); !played {
		t.Error("nobody ever led")
	}
}

func TestWhatMocksCannotShowIsRefused(t *testing.T) {
	for _, script := range []string{
		"pause n0 at 1s for 1s", "slow n0 at 1s for 1s by 1ms", "drift n0 at 1s for 1s by 5ppm",
		"clock-forward n0 at 1s by 1s", "sleep n0 at 1s for 1s", "brink n0 at 1s by -1s",
	} {
		w := bubble(t, Cluster{}, 0, func(w *World) {
			w.Mocks()
			idle(w)
			tell(t, w, script)
		})
		if text := fmt.Sprint(errors.Join(w.failures...)); !strings.Contains(text, "cannot be played on Mocks") {
			t.Errorf("%s: %s", script, text)
		}
	}
}
