package simulate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// noisy declares work that writes late to a store without a fence, one fault that makes this go wrong, and many that do
// not matter.
func noisy(w *World) {
	ledger := w.UnfencedStore("ledger")
	stale(w, ledger)
	for i := range 5 {
		w.At(time.Duration(3+12*i)*time.Second, Fault{Kind: Cut, Target: Target(i % 4), For: 1100 * time.Millisecond})
		w.At(time.Duration(5+12*i)*time.Second, Fault{Kind: Sluggish, For: time.Second, By: 37 * time.Millisecond})
		w.At(time.Duration(7+12*i)*time.Second, Fault{Kind: LoseAnswer, Target: Target(i % 4), Call: 3 + i})
	}
	w.Expect(OneWriter(ledger))
}

func TestAFailingBubbleIsShrunkToWhatIsNeeded(t *testing.T) {
	c := Cluster{Nodes: 5, Seeds: 3, First: 3}
	w := bubble(t, c, 3, noisy)
	if w.failure().Rule != "OneWriter" {
		t.Fatalf("the planted fault is not noticed: %v", w.failures)
	}
	small, plays, done := shrinkBubble(t, w, noisy)
	s := small.scenario
	if small.failure().Rule != "OneWriter" || !done || plays > 300 {
		t.Errorf("after %d plays, done %v: %v", plays, done, small.failures)
	}
	if len(s.Faults) != 1 || s.Faults[0].Kind != Pause || s.Nodes != 2 || s.End >= w.scenario.End {
		t.Errorf("left over are\n%s", s)
	}
	for i := range s.Faults {
		less := s
		less.Faults = slices.Delete(slices.Clone(s.Faults), i, i+1)
		if again := inBubble(t, less, &less, noisy); again.failure().Rule == "OneWriter" {
			t.Errorf("%q is not needed", s.Faults[i])
		}
	}
	if again := inBubble(t, s, &s, noisy); again.digest != small.digest {
		t.Errorf("digest %016x, then %016x", small.digest, again.digest)
	}
}

func TestPlannedSchedulesThatFailAreShrunkToAFewFaultsEachOfThemNeeded(t *testing.T) {
	declare := func(w *World) {
		ledger := w.UnfencedStore("ledger")
		stale(w, ledger)
		w.scenario.Faults = nil // but for those that are planned
		w.Plan()
		w.Expect(OneWriter(ledger))
	}
	failed := 0
	for seed := uint64(0); failed < 2; seed++ {
		if seed == 300 {
			t.Fatal("a store without a fence hardly ever loses")
		}
		w := bubble(t, Cluster{Nodes: 3}, seed, declare)
		if w.failure().Rule == "" {
			continue
		}
		failed++
		small, plays, done := shrinkBubble(t, w, declare)
		s := small.scenario
		if small.failure().Rule != w.failure().Rule || !done || len(s.Faults) > 3 {
			t.Errorf("seed %d, done %v after %d plays: %v\n%s", seed, done, plays, small.failures, s)
		}
		for i := range s.Faults {
			less := s
			less.Faults = slices.Delete(slices.Clone(s.Faults), i, i+1)
			if again := inBubble(t, less, &less, declare); again.failure().Rule == w.failure().Rule {
				t.Errorf("seed %d: %q is not needed", seed, s.Faults[i])
			}
		}
		t.Logf("seed %d: %d of %d faults, %d plays: %v", seed, len(s.Faults), len(w.scenario.Faults), plays, s.Faults)
	}
}

// told is what is to be found in what a failing test says.
func told(t *testing.T, said string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
}

func TestAFailureShowsAllThereIsAndIsPlayedFirstFromThenOn(t *testing.T) {
	dir := t.TempDir()
	c := Cluster{Nodes: 5, First: 3, Keep: dir}
	ok, said := inTest("TestNoisy", func(t *testing.T) { Bubble(t, c, noisy) })
	if ok {
		t.Fatal("it passed")
	}
	kept := filepath.Join(dir, "TestNoisy", "onewriter-3.scenario")
	told(t, said, "simulate: seed 3 violates OneWriter at ", "1 of 16 faults are needed (", "FAIL OneWriter at ",
		"pause leader at 20s for ", "kept in "+kept, "picture: "+strings.TrimSuffix(kept, "scenario")+"html", "replay: t1:",
		"simulate.ReplayBubble(t, `tenure scenario 1", "`, noisy)", "!")
	timeline := said[strings.Index(said, "FAIL OneWriter"):strings.Index(said, "kept in")]
	if lines := strings.Count(timeline, "\n"); lines > 60 {
		t.Errorf("the timeline has %d lines", lines)
	}
	if page, err := os.ReadFile(strings.TrimSuffix(kept, "scenario") + "html"); err != nil || len(page) > 300<<10 {
		t.Errorf("the page has %d bytes, %v", len(page), err)
	}
	script, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := read(string(script))
	if err != nil {
		t.Fatal(err)
	}
	for _, replay := range []string{string(script), sc.Token()} {
		ok, said = inTest("TestReplay", func(t *testing.T) { ReplayBubble(t, replay, noisy) })
		if told(t, said, "OneWriter at ", "pause leader"); ok {
			t.Error("a replay passed")
		}
	}
	played := 0
	ok, said = inTest("TestNoisy", func(t *testing.T) {
		Bubble(t, Cluster{Nodes: 5, First: 4, Seeds: 100, Keep: dir}, func(w *World) {
			played++
			noisy(w)
		})
	})
	if told(t, said, kept, "OneWriter at "); ok || played != 1 {
		t.Errorf("passed %v, played %d; expected the kept script and nothing else", ok, played)
	}
}

func TestAFunctionThatIsNotRepeatableIsNotShrunk(t *testing.T) {
	calls := 0
	ok, said := inTest("TestOnce", func(t *testing.T) {
		Bubble(t, Cluster{Keep: t.TempDir()}, func(w *World) {
			biller(w, w.FencedStore("ledger"))
			w.Expect(func(*World) error {
				if calls++; calls == 1 {
					return fmt.Errorf("call %d", calls)
				}
				return nil
			})
		})
	})
	if told(t, said, "violates expectation 1 at 2m0s: call 1", "is not repeatable", "played again"); ok {
		t.Error("it passed")
	}
}

func TestASeedThatGoesTwoWaysIsFoundWhenItIsPlayedTwice(t *testing.T) {
	for _, repeatable := range []bool{true, false} {
		calls := 0
		ok, said := inTest("TestTwice", func(t *testing.T) {
			Bubble(t, Cluster{Nodes: 2, Seeds: 2, Twice: true, Keep: t.TempDir()}, func(w *World) {
				if calls++; repeatable {
					calls = 0
				}
				ledger, value := w.FencedStore("ledger"), fmt.Sprint(calls)
				w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
					_ = ledger.With(t).Write(ctx, value)
					<-ctx.Done()
					return nil
				})
			})
		})
		if ok != repeatable || !ok && !strings.Contains(said, "seed 0 goes two ways (digest ") {
			t.Errorf("repeatable %v: passed %v\n%s", repeatable, ok, said)
		}
	}
}

func TestAnExpectationOfTheUsersIsNotShrunkByEndingBeforeItIsMet(t *testing.T) {
	declare := func(w *World) {
		idle(w)
		w.At(20*time.Second, Fault{Kind: Cut, Target: 0, For: time.Second})
		w.Expect(func(w *World) error {
			if len(leaders(w.Trace())) < 5 {
				return fmt.Errorf("few leaders")
			}
			return nil
		})
	}
	w := bubble(t, Cluster{Nodes: 3}, 1, declare)
	small, _, _ := shrinkBubble(t, w, declare)
	if s := small.scenario; len(s.Faults) != 0 || s.End != w.scenario.End {
		t.Errorf("left over are\n%s", s)
	}
}

func TestWhatPanicsWhenTriedWithLessIsAnotherFailure(t *testing.T) {
	declare := func(w *World) {
		ledger := w.UnfencedStore("ledger")
		stale(w, ledger)
		w.At(50*time.Second, Fault{Kind: Cut, Target: 2, For: time.Second})
		w.Do(100*time.Millisecond, func() {
			if len(w.scenario.Faults) < 2 {
				panic("where is it?")
			}
		})
		w.Expect(OneWriter(ledger))
	}
	w := bubble(t, Cluster{Nodes: 3}, 3, declare)
	small, _, done := shrinkBubble(t, w, declare)
	if small.failure().Rule != "OneWriter" || len(small.scenario.Faults) != 2 || !done {
		t.Errorf("%v\n%s", small.failures, small.scenario)
	}
}

func TestAScriptThatABubbleCannotPlayIsRefusedInOneLine(t *testing.T) {
	for script, want := range map[string]string{
		"":       "it begins with",
		"t1:!!!": "is damaged",
		"tenure scenario 1\nclock-back n0 at 1s by 1s\n":    "cannot be played in a bubble",
		"tenure scenario 1\nstore register\n":               "a bubble has an expiring or a forgetful one",
		"tenure scenario 1\npause n0 at 90s for 1s\n":       "all has been healed",
		"tenure scenario 1\nlose-call leader #1\n":          "needs a node by number",
		"tenure scenario 1\nnodes 2\npause n3 at 1s for 1s": "no node n3 among 2",
	} {
		ok, said := inTest("TestScript", func(t *testing.T) { ReplayBubble(t, script, idle) })
		if told(t, said, want); ok {
			t.Errorf("%q passed", script)
		}
	}
}

func TestARestartAfterAPanicIsNoFailureAndAPanicWithoutOneIsFound(t *testing.T) {
	declare := func(restart bool) func(w *World) {
		return func(w *World) {
			w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
				if w.ClockOf(t).Sleep(time.Second); t.Term() == 2 {
					panic("the ledger is full")
				}
				<-ctx.Done()
				return nil
			})
			if restart {
				w.RestartAfter(3 * time.Second)
			}
			w.At(20*time.Second, Fault{Kind: Resign, Target: TheLeader})
			w.At(22*time.Second, Fault{Kind: Cut, Target: 0, For: time.Second})
		}
	}
	w := bubble(t, Cluster{Nodes: 3}, 1, declare(true))
	mustPass(t, w)
	if got := leaders(w.trace); len(got) < 3 {
		t.Errorf("leaders: %v", got)
	}
	if !slices.ContainsFunc(w.trace.Entries, func(e Entry) bool { return e.Kind == Crashed }) {
		t.Error("no process has died")
	}
	dir := t.TempDir()
	ok, said := inTest("TestPanic", func(t *testing.T) { Bubble(t, Cluster{Keep: dir}, declare(false)) })
	if told(t, said, "violates panic at ", "under term 2: the ledger is full", "1 of 2 faults are needed",
		"bubble_shrink_test.go:", "// as in TestPanic"); ok {
		t.Error("it passed")
	}
}
