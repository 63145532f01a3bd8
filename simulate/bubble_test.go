package simulate

import (
	"context"
	"fmt"
	"runtime"
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

// stories are schedules of faults, and how many terms there must be at least. Each is played by real nodes and by
// engine A.
var stories = []struct {
	name   string
	script string
	terms  int
}{
	{"the leader stands still", "pause leader at 20s for 40s", 2},
	{"the leader is cut off", "cut leader at 20s for 40s", 2},
	{"its requests are lost", "cut-there leader at 20s for 40s", 2},
	{"its answers are lost", "cut-back leader at 20s for 40s", 2},
	{"the leader crashes", "crash leader at 20s for 30s", 2},
	{"the leader leaves", "leave leader at 20s for 30s", 2},
	{"the leader resigns", "resign leader at 20s", 2},
	{"the leader hands over", "hand-over leader at 20s", 2},
	{"the leader is cordoned", "cordon leader at 20s for 30s", 2},
	{"the first answers are lost", "lose-answer n0 #1; lose-answer n1 #1; lose-answer n2 #1", 1},
	{"requests are lost", "lose-call n0 #2; lose-call n1 #2; lose-call n2 #2", 1},
	{"requests fail", "fail-before n0 #2; fail-after n1 #2; fail-after n2 #2", 1},
	{"the store is down", "down at 20s for 25s", 2},
	{"the store refuses", "refusing at 20s for 25s", 2},
	{"the store stands still", "stall at 20s for 3s", 1},
	{"the record is deleted", "delete at 20s", 2},
	{"somebody else is given the lease", "evict at 20s", 2},
	{"a clock jumps", "clock-forward leader at 20s by 11s", 1},
	{"a clock is fast", "drift leader at 20s for 30s by 4000ppm", 1},
}

// tell declares the faults of a script, one after each semicolon.
func tell(t *testing.T, w *World, script string) {
	t.Helper()
	for line := range strings.SplitSeq(script, ";") {
		f, err := ParseFault(line)
		if err != nil {
			t.Fatal(err)
		}
		w.At(0, f)
	}
}

func TestTheFenceHoldsUnderEveryFault(t *testing.T) {
	for _, f := range stories {
		t.Run(f.name, func(t *testing.T) {
			var ledger *Resource
			w := bubble(t, Cluster{Nodes: 3}, 7, func(w *World) {
				ledger = w.FencedStore("ledger")
				biller(w, ledger)
				tell(t, w, f.script)
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
	for _, f := range stories {
		for _, watch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, watch %v", f.name, watch), func(t *testing.T) {
				w := bubble(t, Cluster{Nodes: 3}, 11, func(w *World) {
					winding(w, 11)
					if watch {
						w.Watch()
					}
					tell(t, w, f.script)
				})
				mustPass(t, w)
				schedule, err := Play(w.scenario)
				if err != nil {
					t.Fatal(err)
				}
				sameSteps(t, schedule, w.trace)
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
	if refused != 0 || len(w.failures) != 1 || !strings.Contains(w.failures[0].Error(), "writes under term 1; n") {
		t.Errorf("without a fence %d writes were refused; failures: %v", refused, w.failures)
	}
}

func TestOneSeedIsOneRun(t *testing.T) {
	play := func(seed uint64) uint64 {
		w := bubble(t, Cluster{Nodes: 3}, seed, func(w *World) {
			ledger := w.FencedStore("ledger")
			biller(w, ledger)
			w.Watch()
			tell(t, w, "pause leader at 6s for 16s; delay n1 at 8s for 10s by 2s; resign leader at 30s")
			w.HealAt(35 * time.Second)
			w.Until(40 * time.Second)
		})
		mustPass(t, w)
		return w.digest
	}
	first := play(5)
	again := func(times int) {
		for range times {
			if digest := play(5); digest != first {
				t.Fatalf("digest %016x, then %016x", first, digest)
			}
		}
	}
	again(60)
	all := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(all)
	again(40)
	if other := play(6); other == first {
		t.Error("another seed has the same digest")
	}
}

func TestCompositesCountFromTheMomentTheyAreGivenFor(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 3, Store: Forgetful}, 5, func(w *World) {
		ledger := w.FencedStore("ledger")
		biller(w, ledger)
		w.At(10*time.Second, HuntLeader(0, 20*time.Second, 20*time.Second)...)
		w.At(40*time.Second, HuntDeadline(time.Second, 30*time.Second, 20*time.Second, 50*time.Millisecond)...)
		w.At(20*time.Second, Fault{Kind: Sleep, Target: 0, For: 30 * time.Second})
		w.Expect(OneWriter(ledger), Drained(time.Second))
	})
	mustPass(t, w)
	var crashed []time.Duration
	brinks := 0
	for _, e := range w.trace.Entries {
		switch {
		case e.Kind == Crashed:
			crashed = append(crashed, e.At)
		case e.Kind == FaultBegan && e.Fault.Kind == Pause && e.At >= 41*time.Second:
			brinks++
		}
	}
	if len(crashed) != 2 || crashed[0] != 10*time.Second || crashed[1] != 30*time.Second || brinks == 0 {
		t.Errorf("crashes at %v, %d stood still beside their deadline\n%s", crashed, brinks, w.trace.Timeline())
	}
}
