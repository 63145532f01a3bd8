package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// adder is work that adds an element a second for as long as it leads.
func adder(w *World, set *Set) {
	set.Takes = 500 * time.Millisecond
	w.Lead("set", func(ctx context.Context, t *actor.Tenure) error {
		for k := 0; t.Leading(); k++ {
			if err := set.Add(ctx, t, fmt.Sprintf("%d.%d", t.Term(), k)); err != nil {
				return nil //nolint:nilerr // the term is over
			}
			w.ClockOf(t).Sleep(500 * time.Millisecond)
		}
		<-ctx.Done()
		return nil
	})
}

func TestASetThatOnlyTheLeaseGuardsLosesElementsWhenALeaderStandsStill(t *testing.T) {
	ok, said := inTest("TestSet", func(t *testing.T) {
		Bubble(t, Cluster{Nodes: 3, Seeds: 20, Keep: t.TempDir()}, func(w *World) {
			set := w.GuardedSet("set")
			adder(w, set)
			w.At(20*time.Second, Fault{Kind: Pause, Target: TheLeader, For: 30 * time.Second})
			w.Expect(NothingLost(set))
		})
	})
	if told(t, said, "violates NothingLost at 50.", "elements are lost in the end", "1 of 1 faults"); ok {
		t.Error("nothing was lost")
	}
}

func TestASetWithAFenceLosesNothingWhateverHappens(t *testing.T) {
	added, stale := 0, 0
	for seed := range uint64(60) {
		var set *Set
		w := bubble(t, Cluster{Nodes: 3}, seed, func(w *World) {
			set = w.FencedSet("set")
			adder(w, set)
			w.At(20*time.Second, Fault{Kind: Pause, Target: TheLeader, For: 30 * time.Second})
			w.Plan()
			w.Expect(NothingLost(set), OneWriter(set.r))
		})
		mustPass(t, w)
		added += len(set.Added())
		for _, k := range set.r.Writes() {
			if k.Refused {
				stale++
			}
		}
	}
	if added < 60*30 || stale == 0 {
		t.Errorf("%d elements were added and %d stale writes refused, which shows nothing", added, stale)
	}
}

func TestAReaderUnderAGreaterTermFencesOffWhoeverWritesLater(t *testing.T) {
	for _, fenced := range []bool{true, false} {
		w := bubble(t, Cluster{Nodes: 2}, 1, func(w *World) {
			r := w.UnfencedStore("r")
			if fenced {
				r = w.FencedStore("r")
			}
			var old *Writer
			w.Lead("a", func(ctx context.Context, t2 *actor.Tenure) error {
				free := context.WithoutCancel(ctx)
				if old == nil {
					old = r.With(t2)
					if err := old.Write(ctx, "first"); err != nil {
						t.Error(err)
					}
					<-ctx.Done()
					return nil
				}
				got, err := r.With(t2).Read(ctx)
				var stale *StaleError
				late := old.Write(free, "late")
				_, read := old.Read(free)
				if got != "first" || err != nil || errors.As(late, &stale) != fenced || errors.As(read, &stale) != fenced {
					t.Errorf("read %q, %v; the late write %v, the late read %v", got, err, late, read)
				}
				if fenced && (stale.Term != 1 || stale.Greatest != 2 || !strings.Contains(read.Error(), "refuses term 1")) {
					t.Errorf("%+v, %v", stale, read)
				}
				old = nil
				<-ctx.Done()
				return nil
			})
			w.Until(40 * time.Second)
			w.HealAt(30 * time.Second)
			w.At(20*time.Second, Fault{Kind: Resign, Target: TheLeader})
			w.Expect(func(*World) error {
				if n := len(r.Writes()); n != 2 {
					return fmt.Errorf("%d writes", n)
				}
				return nil
			})
		})
		mustPass(t, w)
	}
}

func TestAnElementOfSeveralLinesIsRefused(t *testing.T) {
	clocked(t, "", func(ctx context.Context, w *World, tenure *actor.Tenure) {
		set := w.FencedSet("set")
		for _, element := range []string{"", "a\nb"} {
			if err := set.Add(ctx, tenure, element); err == nil || !strings.Contains(err.Error(), "give one line") {
				t.Errorf("%q: %v", element, err)
			}
		}
		ended, cancel := context.WithCancel(ctx)
		if cancel(); !errors.Is(set.Add(ended, tenure, "a"), context.Canceled) || len(set.Added()) != 0 {
			t.Errorf("an ended context adds %v", set.Added())
		}
	})
}

func TestAViolationThatIsExpectedIsNoFailureAndItsAbsenceIsOne(t *testing.T) {
	declare := func(set func(w *World) *Set, rule string) func(w *World) {
		return func(w *World) {
			s := set(w)
			adder(w, s)
			w.At(20*time.Second, Fault{Kind: Pause, Target: TheLeader, For: 30 * time.Second})
			w.Expect(NothingLost(s))
			w.ExpectViolation(rule)
		}
	}
	for _, c := range []struct {
		set  func(w *World, name string) *Set
		rule string
		ok   bool
		says string
	}{
		{(*World).GuardedSet, "NothingLost", true, ""},
		{(*World).FencedSet, "NothingLost", false, "expected that NothingLost is violated, and it was not by any of 20"},
		{(*World).GuardedSet, "R1", false, "violates NothingLost at"},
	} {
		ok, said := inTest("TestExpected", func(t *testing.T) {
			cluster := Cluster{Nodes: 3, Seeds: 20, Keep: t.TempDir()}
			Bubble(t, cluster, declare(func(w *World) *Set { return c.set(w, "s") }, c.rule))
		})
		if told(t, said, c.says); ok != c.ok {
			t.Errorf("%s: passed %v\n%s", c.rule, ok, said)
		}
	}
	ok, said := inTest("TestExpected", func(t *testing.T) { // a rule, by work that does not heed its context
		Bubble(t, Cluster{Keep: t.TempDir()}, func(w *World) {
			w.Lead("a", func(ctx context.Context, _ *actor.Tenure) error {
				<-ctx.Done()
				time.Sleep(40 * time.Second)
				return nil
			})
			w.At(20*time.Second, Fault{Kind: Cut, Target: TheLeader, For: 50 * time.Second})
			w.ExpectViolation("R1")
		})
	})
	if !ok {
		t.Error(said)
	}
}
