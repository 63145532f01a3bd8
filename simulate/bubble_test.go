package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
)

// biller is work that writes once a second as long as its context lasts, and asks before.
func biller(w *World, ledger *Resource) {
	w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
		out, c := ledger.With(t), w.ClockOf(t)
		for k := 0; ; k++ {
			if t.Leading() {
				if err := out.Write(ctx, fmt.Sprintf("bill %d", k)); err != nil {
					return nil //nolint:nilerr // the term is over
				}
			}
			select {
			case <-ctx.Done():
				return nil
			case <-c.After(time.Second):
			}
		}
	})
}

// leaders are the tenures of a trace.
func leaders(tr *Trace) []string {
	var all []string
	for _, e := range tr.Entries {
		if e.Kind == Moved && e.To == fsm.Leader {
			all = append(all, fmt.Sprintf("n%d/%d", e.Node, e.Term))
		}
	}
	return all
}

func mustPass(t *testing.T, w *World) {
	t.Helper()
	for _, err := range w.failures {
		t.Error(err)
	}
	if len(w.failures) > 0 {
		t.Fatal("\n" + w.trace.Timeline())
	}
}

func TestABubbleLeadsWithoutFaults(t *testing.T) {
	var ledger *Resource
	w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
		ledger = w.FencedStore("ledger")
		biller(w, ledger)
		w.Expect(OneWriter(ledger), FailoverWithin(10*time.Second), Drained(time.Second))
	})
	mustPass(t, w)
	if got := leaders(w.trace); len(got) != 1 {
		t.Errorf("leaders: %v", got)
	}
	if n := len(ledger.Writes()); n < 100 {
		t.Errorf("%d writes in two minutes, one a second", n)
	}
}

// faults are schedules with what they must show. Each is played in a bubble, and by engine A.
var faults = []struct {
	name   string
	faults []Fault
	terms  int // at least
}{
	{"the leader stands still", []Fault{{Kind: Pause, Target: TheLeader, At: 20 * time.Second, For: 40 * time.Second}}, 2},
	{"the leader is cut off", []Fault{{Kind: Cut, Target: TheLeader, At: 20 * time.Second, For: 40 * time.Second}}, 2},
	{"its requests are lost", []Fault{{Kind: CutThere, Target: TheLeader, At: 20 * time.Second, For: 40 * time.Second}}, 2},
	{"its answers are lost", []Fault{{Kind: CutBack, Target: TheLeader, At: 20 * time.Second, For: 40 * time.Second}}, 2},
	{"the leader crashes", []Fault{{Kind: Crash, Target: TheLeader, At: 20 * time.Second, For: 30 * time.Second}}, 2},
	{"the leader leaves", []Fault{{Kind: Leave, Target: TheLeader, At: 20 * time.Second, For: 30 * time.Second}}, 2},
	{"the leader resigns", []Fault{{Kind: Resign, Target: TheLeader, At: 20 * time.Second}}, 2},
	{"the leader hands over", []Fault{{Kind: Hand, Target: TheLeader, At: 20 * time.Second}}, 2},
	{"the leader is cordoned", []Fault{{Kind: Cordon, Target: TheLeader, At: 20 * time.Second, For: 30 * time.Second}}, 2},
	{"the first answers are lost", []Fault{
		{Kind: LoseAnswer, Target: 0, Call: 1}, {Kind: LoseAnswer, Target: 1, Call: 1}, {Kind: LoseAnswer, Target: 2, Call: 1},
	}, 1},
	{"requests are lost", []Fault{{Kind: LoseCall, Target: 0, Call: 2}, {Kind: LoseCall, Target: 1, Call: 2}}, 1},
	{"the store is down", []Fault{{Kind: Down, Target: TheStore, At: 20 * time.Second, For: 25 * time.Second}}, 2},
	{"the store refuses", []Fault{{Kind: Refusing, Target: TheStore, At: 20 * time.Second, For: 25 * time.Second}}, 2},
	{"the store stands still", []Fault{{Kind: Stall, Target: TheStore, At: 20 * time.Second, For: 3 * time.Second}}, 1},
	{"the record is deleted", []Fault{{Kind: Delete, Target: TheStore, At: 20 * time.Second}}, 2},
	{"somebody else is given the lease", []Fault{{Kind: Evict, Target: TheStore, At: 20 * time.Second}}, 2},
	{"a clock jumps", []Fault{{Kind: Forward, Target: TheLeader, At: 20 * time.Second, By: 11 * time.Second}}, 1},
	{"a clock is fast", []Fault{{Kind: Drift, Target: TheLeader, At: 20 * time.Second, For: 30 * time.Second, By: 4000}}, 1},
}

func TestTheFenceHoldsUnderEveryFault(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			var ledger *Resource
			w := bubble(t, Cluster{Nodes: 3}, 7, func(w *World) {
				ledger = w.FencedStore("ledger")
				biller(w, ledger)
				for _, f := range f.faults {
					w.At(f.At, f)
				}
				w.Expect(OneWriter(ledger), FailoverWithin(25*time.Second), Drained(time.Second))
			})
			mustPass(t, w)
			if got := leaders(w.trace); len(got) < f.terms {
				t.Errorf("leaders: %v, expected %d terms", got, f.terms)
			}
		})
	}
}

func TestABubbleAndASchedulePlayTheSameElection(t *testing.T) {
	for _, f := range faults {
		for _, watch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, watch %v", f.name, watch), func(t *testing.T) {
				c := Cluster{Nodes: 3, Timing: fsm.Timing{TTL: 15 * time.Second, Jitter: -1}}
				w := bubble(t, c, 11, func(w *World) {
					ledger := w.FencedStore("ledger")
					var tenures [3]uint64
					w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
						i := t.Lease().Holder.Name[1] - '0'
						tenures[i]++ // of one node only one runs at a time
						<-ctx.Done()
						takes := upTo(draw(11, uint64(i), tenures[i], forDrain), int64(3*time.Second)*3/4) // as in a schedule
						w.Clock().Sleep(time.Duration(takes))
						return nil
					})
					if watch {
						w.Watch()
					}
					for _, f := range f.faults {
						w.At(f.At, f)
					}
					w.Expect(OneWriter(ledger))
				})
				mustPass(t, w)
				trace, err := Play(w.scenario)
				if err != nil {
					t.Fatal(err)
				}
				if a, b := leaders(trace), leaders(w.trace); !slices.Equal(a, b) {
					t.Errorf("leaders\n%v of the schedule\n%v of the bubble\n%s\n%s", a, b, trace.Timeline(), w.trace.Timeline())
				}
			})
		}
	}
}

// stale is work that has asked whether it leads, computes for as long as its process may be stopped, and writes.
func stale(w *World, ledger *Resource) {
	w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
		out, c := ledger.With(t), w.ClockOf(t)
		for ctx.Err() == nil {
			if t.Leading() {
				c.Sleep(200 * time.Millisecond)                   // it computes the bill
				_ = out.Write(context.WithoutCancel(ctx), "bill") // and sends it, whatever has happened meanwhile
			}
			c.Sleep(time.Millisecond)
		}
		return nil
	})
	w.At(20*time.Second, Fault{Kind: Pause, Target: TheLeader, For: 40 * time.Second})
}

func TestAStaleWriteIsRefusedByTheFenceAndLostWithoutOne(t *testing.T) {
	play := func(fenced bool) (refused int, w *World) {
		var ledger *Resource
		w = bubble(t, Cluster{Nodes: 3}, 3, func(w *World) {
			if ledger = w.UnfencedStore("ledger"); fenced {
				ledger = w.FencedStore("ledger")
			}
			stale(w, ledger)
			w.Expect(OneWriter(ledger))
		})
		for _, k := range ledger.Writes() {
			if k.Refused {
				refused++
			}
		}
		return refused, w
	}
	refused, w := play(true)
	mustPass(t, w)
	if refused == 0 {
		t.Error("no stale write reached the fence, so that it showed nothing")
	}
	refused, w = play(false)
	if refused != 0 || len(w.failures) != 1 || !strings.Contains(w.failures[0].Error(), "under term 1 after n") {
		t.Errorf("without a fence %d writes were refused; failures: %v", refused, w.failures)
	}
}

func TestOneSeedIsOneRun(t *testing.T) {
	play := func(seed uint64) uint64 {
		w := bubble(t, Cluster{Nodes: 3}, seed, func(w *World) {
			ledger := w.FencedStore("ledger")
			biller(w, ledger)
			w.Watch()
			w.At(6*time.Second, Fault{Kind: Pause, Target: TheLeader, For: 16 * time.Second})
			w.At(8*time.Second, Fault{Kind: Delay, Target: 1, For: 10 * time.Second, By: 2 * time.Second})
			w.At(30*time.Second, Fault{Kind: Resign, Target: TheLeader})
			w.HealAt(35 * time.Second)
			w.Until(40 * time.Second)
		})
		mustPass(t, w)
		return w.digest
	}
	first := play(5)
	for range 99 {
		if again := play(5); again != first {
			t.Fatalf("digest %016x, then %016x", first, again)
		}
	}
	if other := play(6); other == first {
		t.Error("another seed has the same digest")
	}
}

func TestWhatIsExpectedAndDoesNotHappenIsReported(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
		w.Lead("billing", func(ctx context.Context, _ *actor.Tenure) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return nil
		})
		w.At(20*time.Second, Fault{Kind: Crash, Target: TheLeader, For: time.Second})
		w.At(50*time.Second, Fault{Kind: Resign, Target: TheLeader})
		w.Expect(FailoverWithin(5*time.Second), Drained(time.Second), func(*World) error { return errors.New("no luck") })
	})
	var all []string
	for _, err := range w.failures {
		all = append(all, err.Error())
	}
	for i, want := range []string{"nobody led from 20s to", "had not", "no luck"} {
		if i == 1 {
			want = "returned 2s later; expected at most 1s"
		}
		if len(all) != 3 || !strings.Contains(all[i], want) {
			t.Errorf("failure %d is not %q in %q", i, want, all)
		}
	}
}

func TestWorkThatIgnoresItsContextIsFound(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
		w.Lead("billing", func(ctx context.Context, _ *actor.Tenure) error {
			<-ctx.Done()
			time.Sleep(40 * time.Second)
			return nil
		})
		w.At(20*time.Second, Fault{Kind: Cut, Target: TheLeader, For: 50 * time.Second})
	})
	if len(w.failures) != 1 || !strings.Contains(w.failures[0].Error(), "R1 at") {
		t.Errorf("failures: %v", w.failures)
	}
}

func TestWhatIsDeclaredWronglyIsNamedInOneLine(t *testing.T) {
	work := func(context.Context, *actor.Tenure) error { return nil }
	for _, c := range []struct {
		want    string
		declare func(w *World)
	}{
		{"call Lead with a key", func(*World) {}},
		{"give a function", func(w *World) { w.Lead("a", nil) }},
		{"a bubble plays one election", func(w *World) { w.Lead("a", work); w.Lead("b", work) }},
		{"key", func(w *World) { w.Lead("", work) }},
		{"is no fault; set Kind", func(w *World) { w.Lead("a", work); w.At(1, Fault{}) }},
		{"cannot be played in a bubble", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Ignore}) }},
		{"no node n5", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Pause, Target: 5}) }},
		{"negative time", func(w *World) { w.Lead("a", work); w.At(-1, Fault{Kind: Pause}) }},
		{"number of a request", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: LoseCall}) }},
		{"a node by number", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: LoseCall, Target: TheLeader, Call: 1}) }},
		{"only they, have TheStore", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Down, Target: 1}) }},
		{"all has been healed", func(w *World) { w.Lead("a", work); w.At(time.Hour, Fault{Kind: Pause}) }},
		{"give 0 <= heal < end", func(w *World) { w.Lead("a", work); w.HealAt(2); w.Until(1) }},
		{"after the end", func(w *World) { w.Lead("a", work); w.Do(time.Hour, func() {}) }},
		{"Do(1s): give", func(w *World) { w.Lead("a", work); w.Do(time.Second, nil) }},
		{"give an Expectation", func(w *World) { w.Lead("a", work); w.Expect(OneWriter(nil)) }},
	} {
		w := bubble(t, Cluster{}, 0, c.declare)
		if len(w.failures) != 1 || !strings.Contains(w.failures[0].Error(), c.want) || strings.Contains(w.failures[0].Error(), "\n") {
			t.Errorf("%q: %v", c.want, w.failures)
		}
	}
}
