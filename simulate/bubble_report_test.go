package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
)

func TestWhatIsExpectedAndDoesNotHappenIsReported(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
		w.Lead("billing", func(ctx context.Context, _ *actor.Tenure) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return nil
		})
		w.At(20*time.Second, Fault{Kind: Crash, Target: TheLeader, For: time.Second})
		w.At(50*time.Second, Fault{Kind: Resign, Target: TheLeader})
		w.Expect(FailoverWithin(5*time.Second), Drained(time.Second))
		w.Expect(func(*World) error { return errors.New("no luck") })
	})
	var all []string
	for _, err := range w.failures {
		all = append(all, err.Error())
	}
	for i, want := range []string{"nobody led from 20s to", "returned 2s later; expected at most 1s", "no luck"} {
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

// What the simulation does not know of, here a request to resign behind its back, must not go unnoticed.
func TestANodeThatDoesWhatItsMachineDoesNotIsFound(t *testing.T) {
	for _, c := range []struct {
		want string
		do   func(c *actor.Campaign) error
	}{
		{"its machine made the moves []", (*actor.Campaign).Resign},
		{"its machine made the moves []", (*actor.Campaign).Withdraw},
	} {
		w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
			biller(w, w.FencedStore("ledger"))
			w.Do(20*time.Second, func() {
				if err := c.do(w.Node(w.Leader()).Find("billing")); err != nil {
					t.Error(err)
				}
			})
		})
		text := fmt.Sprint(errors.Join(w.failures...))
		if !strings.Contains(text, "conform at 20s") || !strings.Contains(text, c.want) {
			t.Errorf("failures: %s", text)
		}
	}
}

func TestWorkThatEndsItsGoroutineOrSaysThatItIsOverIsSeenByMachineAndNode(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 2}, 1, func(w *World) {
		var ended bool
		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
			switch w.ClockOf(t).Sleep(time.Second); {
			case !ended:
				ended = true
				runtime.Goexit()
			case t.Term() == 2:
				return fmt.Errorf("enough: %w", actor.ErrOver)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
	})
	mustPass(t, w)
	if got := leaders(w.trace); len(got) < 3 {
		t.Errorf("leaders: %v", got)
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
		{"cannot be played in a bubble", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Back}) }},
		{"no node n5", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Pause, Target: 5}) }},
		{"negative time", func(w *World) { w.Lead("a", work); w.At(-1, Fault{Kind: Pause}) }},
		{"number of a request", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: LoseCall}) }},
		{"a node by number", func(w *World) {
			w.Lead("a", work)
			w.At(1, Fault{Kind: LoseCall, Target: TheLeader, Call: 1})
		}},
		{"only they, have TheStore", func(w *World) { w.Lead("a", work); w.At(1, Fault{Kind: Down, Target: 1}) }},
		{"all has been healed", func(w *World) { w.Lead("a", work); w.At(time.Hour, Fault{Kind: Pause}) }},
		{"give 0 <= heal < end", func(w *World) { w.Lead("a", work); w.HealAt(2); w.Until(1) }},
		{"after the end", func(w *World) { w.Lead("a", work); w.Do(time.Hour, func() {}) }},
		{"Do(1s): give", func(w *World) { w.Lead("a", work); w.Do(time.Second, nil) }},
		{"give an Expectation", func(w *World) { w.Lead("a", work); w.Expect(OneWriter(nil)) }},
	} {
		w := bubble(t, Cluster{}, 0, c.declare)
		text := fmt.Sprint(errors.Join(w.failures...))
		if !strings.Contains(text, c.want) || strings.Contains(text, "\n") {
			t.Errorf("%q is not in the one line %q", c.want, text)
		}
	}
}

func TestEverySeedOfAClusterIsPlayed(t *testing.T) {
	var worlds []*World
	Bubble(t, Cluster{Nodes: 1, TTL: 3 * time.Second, First: 4, Seeds: 3}, func(w *World) {
		biller(w, w.FencedStore("ledger"))
		worlds = append(worlds, w)
	})
	for i, w := range worlds {
		if w.scenario.Seed != uint64(4+i) || w.world.events == 0 {
			t.Errorf("seed %d, %d events", w.scenario.Seed, w.world.events)
		}
	}
	if len(worlds) != 3 {
		t.Errorf("%d seeds were played", len(worlds))
	}
}

func TestTheSeedOfANodeIsTheInverseOfWhatItMakesOfIt(t *testing.T) {
	for _, key := range []string{"a", "billing", strings.Repeat("x", 200)} {
		want := draw(1, 2, 3, forMachine)
		got := seedFor(want, key) ^ 0xcbf29ce484222325
		for i := range len(key) {
			got = (got ^ uint64(key[i])) * 0x100000001b3
		}
		if got != want {
			t.Errorf("%q: %016x becomes %016x", key, want, got)
		}
	}
}

func TestTimeDoesNotRunWhileNobodyCanLeadOrReturn(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 3}, 1, func(w *World) {
		biller(w, w.FencedStore("ledger"))
		tell(t, w, "down at 20s for 50s")
		w.Expect(FailoverWithin(20 * time.Second))
	})
	mustPass(t, w)
	w = bubble(t, Cluster{Nodes: 1}, 1, func(w *World) {
		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
			<-ctx.Done()
			w.ClockOf(t).Sleep(time.Second)
			return nil
		})
		tell(t, w, "resign n0 at 20s; pause n0 at 20.1s for 20s")
		w.Expect(Drained(2*time.Second), func(w *World) error {
			if err := Drained(50 * time.Millisecond)(w); err == nil {
				return errors.New("work that ran on for 100ms before its process stood still was found to take less")
			}
			return nil
		})
	})
	mustPass(t, w)
}

func TestOutsideOfThePromiseTheFenceHoldsAndNothingElseDoes(t *testing.T) {
	play := func(fenced bool) *World {
		return bubble(t, Cluster{Nodes: 3}, 2, func(w *World) {
			ledger := w.UnfencedStore("ledger")
			if fenced {
				ledger = w.FencedStore("ledger")
			}
			biller(w, ledger)
			tell(t, w, "cut leader at 20s for 20s; early at 20.5s by 14s")
			w.Expect(OneWriter(ledger))
		})
	}
	w := play(true)
	mustPass(t, w)
	if !slices.ContainsFunc(w.trace.Entries, func(e Entry) bool { return e.Kind == Violated }) {
		t.Error("two leaders were not seen, so that this showed nothing")
	}
	if w = play(false); len(w.failures) != 1 || !strings.Contains(w.failures[0].Error(), "ledger: n") {
		t.Errorf("without a fence: %v", w.failures)
	}
}

// never tells a process that this test starts to play the schedule that cannot end.
const never = "TENURE_TEST_NEVER"

func TestWorkThatNeverReturnsIsNamed(t *testing.T) {
	if os.Getenv(never) != "" {
		bubble(t, Cluster{Nodes: 1, TTL: time.Second}, 1, func(w *World) {
			block := make(chan int)
			w.Lead("billing", func(context.Context, *actor.Tenure) error { <-block; return nil })
		})
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), never+"=1")
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the work of n0 has not returned 1h0m0s after its context ended") {
		t.Errorf("%v\n%.2000s", err, out)
	}
}

// As long as they hang the node can make no other calls.
func TestClientsThatHangReturnWhenAllIsHealed(t *testing.T) {
	w := bubble(t, Cluster{Nodes: 1}, 1908, func(w *World) {
		biller(w, w.FencedStore("ledger"))
		tell(t, w, "cut n0 at 10s for 10s; cut n0 at 6s for 10s; cut n0 at 50s for 10s; resign leader at 8s; "+
			"hang n0 #5 by 10s; hang n0 #17 by 10s; cut n0 at 60s for 10s; hang n0 #3 by 0s; hang n0 #12 by 30s")
	})
	mustPass(t, w)
	var last Entry
	for _, e := range w.trace.Entries {
		if e.Kind == Moved {
			last = e
		}
	}
	if after := last.At - w.scenario.Heal; last.Reason != fsm.Won || after < 0 || after > 10*time.Second {
		t.Errorf("the last move was %v", last)
	}
}
