package simulate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// Small is a world small enough to be explored whole: every order of events, every loss, every delay. The zero value of
// a field is given with it.
type Small struct {
	Nodes   int // 0: 2; at most 4
	Crashes int // how many times a process may die, and start again as another incarnation
	Pauses  int // how many times a process may stand still, for any time
	Resigns int // how many times a leader may be asked to resign
	Hands   int // how many times a leader may be asked to hand over
	Cordons int // how many times a node may be asked not to lead; it may lead again at any time after
	Stops   int // how many times a node may be asked to stop; it may start again at any time, as another incarnation
	Returns int // how many times work may return by itself
	News    int // how many times a node may be shown, by a watch, what the store has
	Errors  int // how many requests may be answered with an error, carried out or not
	// Letters is how many messages of one node may be on their way at once, 1 or 2; a newer one takes the place of the
	// oldest. 0: 1. With 1, a request can still arrive after it was given up, but not after the next was sent.
	Letters int
	// Store is what the store is like. Over a Register at most Letters writes of a node are under way besides the message
	// of its call, any write may fail although it is carried out then or later, and News and Errors must be 0.
	Store StoreKind
	// Heal also explores, from every state, what happens once everything is healed, and measures the longest failover.
	Heal bool
	// Timing is in ticks, given as nanoseconds: the zero Timing is TTL 6, Renew 2, Retry 1, CallTimeout 1, Grace 1, Drain
	// 2, Poll 2. There is no jitter and no drift.
	Timing fsm.Timing
	// MaxStates ends the exploration when so many states have been found; 0: 50 million.
	MaxStates int
	// MaxDepth ends it after so many events from the start; 0: none.
	MaxDepth int
	// NoSymmetry takes nodes that have changed places for different states, as a check of the symmetry itself.
	NoSymmetry bool
	// Progress, if given, is called now and then. Returning false ends the exploration.
	Progress func(Explored) bool

	cells bool // keep what is active on a node, for Coverage.Cells
}

// Explored is what an exploration has seen.
type Explored struct {
	States   int  // different ones
	Steps    int  // events from one state to another, or back
	Depth    int  // the longest shortest way to a state
	Frontier int  // states found and not left yet
	Complete bool // everything was explored
	// Failover is the greatest number of ticks from healing everything to a leader, over all states; -1 if none was
	// needed.
	Failover  int
	Coverage  Coverage
	Violation Violation
	// Path leads from the start to the violation, an event each.
	Path []string
}

// complete returns s with its defaults filled in.
func (s Small) complete() Small {
	if s.Nodes == 0 {
		s.Nodes = 2
	}
	if s.Timing.TTL == 0 {
		s.Timing = fsm.Timing{TTL: 6, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 1, Drain: 2, Poll: 2}
	}
	if s.Letters == 0 {
		s.Letters = 1
	}
	s.Timing.Drift, s.Timing.Jitter = -1, -1
	s.Timing = s.Timing.Derive()
	if s.MaxStates == 0 {
		s.MaxStates = 50_000_000
	}
	return s
}

// Check returns an error that names every fault of s.
func (s Small) Check() error {
	var faults []error
	if s.Nodes < 0 || s.Nodes > smallNodes {
		faults = append(faults, fmt.Errorf("simulate: %d nodes; 1 to %d can be explored", s.Nodes, smallNodes))
	}
	for _, n := range []struct {
		name string
		n    int
	}{
		{"Crashes", s.Crashes}, {"Pauses", s.Pauses}, {"Resigns", s.Resigns}, {"Hands", s.Hands}, {"Cordons", s.Cordons},
		{"Stops", s.Stops}, {"Returns", s.Returns}, {"News", s.News}, {"Errors", s.Errors},
	} {
		if n.n < 0 || n.n > 7 {
			faults = append(faults, fmt.Errorf("simulate: %s %d; 0 to 7 can be explored", n.name, n.n))
		}
	}
	if s.Letters < 0 || s.Letters > 2 {
		faults = append(faults, fmt.Errorf("simulate: Letters %d; 1 or 2 can be explored", s.Letters))
	}
	if s.Store != Expiring && s.Store != Register {
		faults = append(faults, fmt.Errorf("simulate: a store of the kind %v cannot be explored", s.Store))
	}
	if s.Store == Register && s.News+s.Errors > 0 { // what a watch shows was read, and any write may fail, always
		faults = append(faults, fmt.Errorf("simulate: News %d, Errors %d; neither can be explored over a register",
			s.News, s.Errors))
	}
	t := s.complete().Timing
	scaled := t
	for _, d := range []*time.Duration{
		&scaled.TTL, &scaled.Renew, &scaled.Retry, &scaled.CallTimeout, &scaled.Grace, &scaled.Drain, &scaled.Poll,
	} {
		if *d < 0 || *d > 60 {
			faults = append(faults, fmt.Errorf("simulate: a length of %d ticks in the timing; 0 to 60 can be explored", *d))
		}
		*d *= time.Millisecond // a tick is a nanosecond, too short for Timing.Check
	}
	return errors.Join(append(faults, scaled.Check())...)
}

// String says exactly what is explored.
func (s Small) String() string {
	s = s.complete()
	t := s.Timing
	more := ""
	for _, b := range []struct {
		n    int
		what string
	}{
		{s.Hands, "requests to hand over"}, {s.Cordons, "cordons"}, {s.Stops, "stops"}, {s.Returns, "returns of work"},
		{s.News, "looks at the store"}, {s.Errors, "errors"},
	} {
		if b.n > 0 {
			more += fmt.Sprintf(", %d %s", b.n, b.what)
		}
	}
	store := "a store that expires leases"
	if s.Store == Register {
		store = "a bare register"
	}
	return fmt.Sprintf("%d nodes, at most %d crashes, %d pauses, %d resignations%s; any delay, loss and order"+
		" of up to %d messages a node; %s; TTL %d, renew %d, retry %d, call timeout %d,"+
		" grace %d, drain %d, poll %d ticks",
		s.Nodes, s.Crashes, s.Pauses, s.Resigns, more, s.Letters, store, t.TTL, t.Renew, t.Retry, t.CallTimeout,
		t.Grace, t.Drain, t.Poll)
}

// Report says what was explored and what was found, in a few lines.
func (r Explored) Report(s Small) string {
	var b strings.Builder
	fmt.Fprintf(&b, "explored: %s\n", s)
	fmt.Fprintf(&b, "%d states, %d events, depth %d", r.States, r.Steps, r.Depth)
	switch {
	case r.Violation.Rule != "":
		fmt.Fprintf(&b, "\nFAIL %s after %d events:\n  %s\n", r.Violation.Rule, len(r.Path), strings.Join(r.Path, "\n  "))
	case !r.Complete:
		b.WriteString(", not complete\n")
	default:
		b.WriteString(", complete; no rule is broken")
		if r.Failover >= 0 {
			fmt.Fprintf(&b, "; after healing somebody leads within %d ticks", r.Failover)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
