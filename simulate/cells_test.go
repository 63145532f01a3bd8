package simulate

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-tenure/tenure/fsm"
)

// everyTwo is one node and every two of what can go wrong with it, besides any loss and delay.
func everyTwo() (worlds []Small) {
	more := []func(*Small){
		func(s *Small) { s.Crashes++ }, func(s *Small) { s.Pauses++ }, func(s *Small) { s.Resigns++ },
		func(s *Small) { s.Hands++ }, func(s *Small) { s.Cordons++ }, func(s *Small) { s.Stops++ },
		func(s *Small) { s.Returns++ }, func(s *Small) { s.News++ }, func(s *Small) { s.Errors++ },
	}
	for i, one := range more {
		for _, another := range more[i:] {
			s := Small{Nodes: 1, cells: true}
			one(&s)
			another(&s)
			worlds = append(worlds, s)
		}
	}
	for _, s := range []Small{{Cordons: 1}, {Errors: 1}} {
		s.Nodes, s.Letters, s.cells = 1, 2, true
		worlds = append(worlds, s)
	}
	return worlds
}

// outlived are cells that schedules meet and no small world does: a message that was sent before the node last began to
// follow reaches the store after it has won again. What has delayed it is not active any more.
var outlived = []Cell{{fsm.Releasing, fsm.Granted, 0}, {fsm.Releasing, fsm.Refused, 0}, {fsm.Releasing, fsm.Seen, 0}}

func TestSchedulesMeetEveryCellThatCanBeReachedAndOfTheSameFaultsNoOther(t *testing.T) {
	var worlds Coverage
	states := 0
	for _, s := range everyTwo() {
		r, err := s.Explore()
		if err != nil || r.Violation.Rule != "" || !r.Complete {
			t.Fatal(err, r.Report(s))
		}
		worlds.add(&r.Coverage)
		states += r.States
	}
	writeReachable(t, &worlds)
	if known := Reachable(); !slices.Equal(worlds.Cells(), known) {
		t.Fatalf("small worlds reach %d cells, reachable.txt has %d; if that was meant, write them with -update\n%v\n%v",
			len(worlds.Cells()), len(known), worlds.Cells(), known)
	}
	var schedules Coverage
	for _, c := range []Campaign{{Base: Scenario{Nodes: 1}, Seeds: 30_000}, {Base: Scenario{Nodes: 5}, Seeds: 5_000}} {
		r, err := c.Run()
		if err != nil || r.Failed != nil {
			t.Fatal(err, r.Violation)
		}
		schedules.add(&r.Coverage)
	}
	t.Logf("%d small worlds, %d states: %d cells, %d pairs; schedules: %d cells, %d pairs", len(everyTwo()), states,
		len(worlds.Cells()), len(worlds.Pairs()), len(schedules.Cells()), len(schedules.Pairs()))
	if missing := schedules.Missing(); len(missing) > 0 {
		t.Errorf("no schedule meets these cells, which can be reached: %v", missing)
	}
	for _, p := range worlds.Pairs() {
		if !slices.Contains(schedules.Pairs(), p) {
			t.Errorf("no schedule meets this pair, which can be reached: %v", p)
		}
	}
	explored := func(k FaultKind) bool { return k == noFault || slices.Contains(hits[:], k) }
	for _, c := range schedules.Unexplored() {
		if explored(c.Fault) && !slices.Contains(outlived, c) {
			t.Errorf("schedules meet %v, which no small world reaches", c)
		}
	}
	for _, p := range schedules.Pairs() {
		if explored(p.First) && explored(p.Then) && !slices.Contains(worlds.Pairs(), p) {
			t.Errorf("schedules meet %v, which no small world reaches", p)
		}
	}
}

// writeReachable writes reachable.txt if -update asks for it.
func writeReachable(t *testing.T, v *Coverage) {
	t.Helper()
	var b strings.Builder
	var last Cell
	for i, c := range v.Cells() {
		if i == 0 || c.State != last.State || c.Input != last.Input {
			fmt.Fprintf(&b, "\n%v %v", c.State, c.Input)
		}
		fmt.Fprintf(&b, " %v", c.Fault)
		last = c
	}
	if *update {
		reachable = strings.TrimSpace(b.String()) + "\n"
		if err := os.WriteFile("reachable.txt", []byte(reachable), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What a cell counts is what was active: the fault that struck before, and only until the node follows again.
func TestAFaultIsActiveUntilTheNodeFollowsAgain(t *testing.T) {
	for _, c := range []struct {
		faults    string
		met, none []Cell
	}{
		{
			"lose-answer n0 #3\n",
			[]Cell{{fsm.Leader, fsm.Tick, LoseAnswer}, {fsm.Leader, fsm.Granted, LoseAnswer}, {fsm.Leader, fsm.Granted, 0}},
			[]Cell{{fsm.Acquiring, fsm.Granted, LoseAnswer}, {fsm.Follower, fsm.Tick, LoseAnswer}},
		},
		{
			"down at 20s for 20s\n",
			[]Cell{{fsm.Leader, fsm.Tick, Down}, {fsm.Releasing, fsm.Drained, Down}, {fsm.Acquiring, fsm.Tick, Down}},
			[]Cell{{fsm.Releasing, fsm.Drained, 0}, {fsm.Leader, fsm.Granted, Down}},
		},
		{
			"crash n0 at 20s for 20s\npause n0 at 25s for 1s\n",
			[]Cell{{fsm.Follower, fsm.Tick, Crash}, {fsm.Leader, fsm.Granted, Crash}},
			[]Cell{{fsm.Leader, fsm.Granted, Pause}, {fsm.Leader, fsm.Tick, Pause}},
		},
		{
			"resign n0 at 20s\ncordon n0 at 50s for 10s\n",
			[]Cell{{fsm.Leader, fsm.Resign, Resign}, {fsm.Releasing, fsm.Drained, Resign}, {fsm.Follower, fsm.Resume, Cordon}},
			[]Cell{{fsm.Acquiring, fsm.Granted, Resign}, {fsm.Leader, fsm.Pause, Resign}},
		},
	} {
		s, err := Parse(strings.NewReader(firstLine + "\nnodes 1\nttl 15s\nwatch false\n" + c.faults))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{}
		w.start(s.complete())
		w.run()
		v := &w.check.seen
		for _, cell := range c.met {
			if !v.met(cell) {
				t.Errorf("%q: %v was not met; what was is %v", c.faults, cell, v.Cells())
			}
		}
		for _, cell := range c.none {
			if v.met(cell) {
				t.Errorf("%q: %v was met", c.faults, cell)
			}
		}
	}
}

func TestCellsAndPairsAreToldInWords(t *testing.T) {
	if s := (Cell{fsm.Leader, fsm.Refused, LoseAnswer}).String(); s != "leader refused lose-answer" {
		t.Error(s)
	}
	if s := (Pair{Pause, LoseCall}).String(); s != "pause, then lose-call" {
		t.Error(s)
	}
	if all := Reachable(); len(all) < 400 || !slices.IsSortedFunc(all, compareCells) {
		t.Errorf("%d cells can be reached", len(all))
	}
	var nothing Coverage
	if !slices.Equal(nothing.Missing(), Reachable()) || nothing.Unexplored() != nil || nothing.Pairs() != nil {
		t.Error("a coverage that has met nothing does not miss everything")
	}
}
