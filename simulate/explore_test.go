package simulate

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-tenure/tenure/fsm"
)

// Every state of these worlds is visited, every time. Larger ones take minutes: see "make prove".
func TestSmallWorldsKeepEveryRuleWhateverHappens(t *testing.T) {
	var seen Coverage
	for _, s := range []Small{
		{Nodes: 1, Crashes: 2, Pauses: 1, Resigns: 1},
		{Nodes: 1, Letters: 2, Resigns: 1},
		{Nodes: 2},
		{Nodes: 2, Heal: true},
		{Nodes: 2, Resigns: 1},
		{Nodes: 1, Resigns: 1, Hands: 1, Cordons: 1, Returns: 1, News: 1},
		{Nodes: 1, Cordons: 1, Stops: 1, News: 2},
		{Nodes: 2, Stops: 1},
		{Nodes: 2, News: 1},
		{Nodes: 1, Store: Register, Crashes: 1, Pauses: 1, Heal: true},
		{Nodes: 1, Store: Register, Letters: 2, Crashes: 1, Pauses: 1, Resigns: 1},
		{Nodes: 1, Store: Register, Resigns: 1, Cordons: 1, Stops: 1},
		{Nodes: 2, Store: Register},
	} {
		r, err := s.Explore()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", r.Report(s))
		if r.Violation.Rule != "" || !r.Complete {
			t.Errorf("%s", r.Report(s))
		}
		seen.add(&r.Coverage)
	}
	if made := seen.Moves(); !slices.Equal(made, fsm.Moves()) {
		t.Errorf("moves made: %v\nwant all of:  %v", made, fsm.Moves())
	}
	// Schedules make the same moves; what else they must reach is in cells_test.go.
	r, err := Campaign{Base: Scenario{Nodes: 3}, Seeds: 5000}.Run()
	if err != nil || r.Failed != nil {
		t.Fatal(err, r.Violation)
	}
	if made := r.Coverage.Moves(); !slices.Equal(made, fsm.Moves()) {
		t.Errorf("moves made by schedules: %v\nwant all of:  %v", made, fsm.Moves())
	}
}

func TestSymmetryLeavesNothingOut(t *testing.T) {
	s := Small{Nodes: 2}
	with, err := s.Explore()
	if err != nil {
		t.Fatal(err)
	}
	s.NoSymmetry = true
	without, err := s.Explore()
	if err != nil {
		t.Fatal(err)
	}
	if with.Coverage != without.Coverage || with.Depth != without.Depth || without.States <= with.States ||
		without.States > 2*with.States {
		t.Errorf("with symmetry %d states, depth %d, %+v; without %d states, depth %d, %+v",
			with.States, with.Depth, with.Coverage, without.States, without.Depth, without.Coverage)
	}
}

func TestAnExplorationFindsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	slow := fsm.Timing{TTL: 6, Renew: 2, Retry: 10, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 1} // no one would take it
	for _, s := range []Small{{Heal: true}, {Resigns: 1, MaxStates: 30_000}, {Heal: true, Timing: slow}} {
		explore := func(processors int) Explored {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			x := newExplorer(s.complete())
			x.run()
			return x.r
		}
		one := explore(1)
		if broken := s.Timing.Retry != 0; broken != (one.Violation.Rule == "live") {
			t.Errorf("%s: %s", s, one.Report(s))
		}
		for n := 2; n < 5; n++ {
			if r := explore(n); !reflect.DeepEqual(r, one) {
				t.Errorf("%d processors find\n%+v\nand one\n%+v", n, r, one)
			}
		}
	}
}

// heard is a test that goes on in its own way when it has failed.
type heard struct {
	testing.TB
	says string
}

func (h *heard) Helper()                        {}
func (h *heard) Logf(format string, a ...any)   { h.says = "logged: " + fmt.Sprintf(format, a...) }
func (h *heard) Fatal(a ...any)                 { h.Fatalf("%s", fmt.Sprint(a...)) }
func (h *heard) Fatalf(format string, a ...any) { panic("failed: " + fmt.Sprintf(format, a...)) }

func TestAnExplorationFailsATestThatItCannotFinish(t *testing.T) {
	for want, s := range map[string]Small{
		"logged: simulate: explored: 1 nodes": {Nodes: 1},
		", complete; no rule is broken":       {Nodes: 1},
		"failed: simulate: explored: 2 nodes": {Nodes: 2, MaxStates: 100},
		", not complete":                      {Nodes: 2, MaxStates: 100},
		"failed: simulate: 5 nodes; 1 to 4":   {Nodes: 5},
	} {
		h := &heard{TB: t}
		func() {
			defer func() {
				if r := recover(); r != nil {
					h.says = fmt.Sprint(r)
				}
			}()
			Explore(h, s)
		}()
		if !strings.Contains(h.says, want) {
			t.Errorf("it says %q, want %q", h.says, want)
		}
	}
}

func TestASmallWorldThatCannotBeExploredIsRefused(t *testing.T) {
	for want, s := range map[string]Small{
		"1 to 4 can be explored":        {Nodes: 5},
		"Pauses 9; 0 to 7":              {Pauses: 9},
		"Letters 3; 1 or 2":             {Letters: 3},
		"News 1, Errors 0; neither":     {Store: Register, News: 1},
		"a store of the kind forgetful": {Store: Forgetful},
		"one lost renewal would end":    {Timing: fsm.Timing{TTL: 6, Renew: 3, Retry: 2, CallTimeout: 2, Grace: 1}},
		"a length of 100 ticks":         {Timing: fsm.Timing{TTL: 100, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 1}},
	} {
		if _, err := s.Explore(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", s, err, want)
		}
	}
}
