package simulate

import (
	"errors"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// Expectation is what a schedule in a bubble must have fulfilled when it has ended; the error says how it did not.
// Besides those of this package any function will do; [World.Trace] and [Resource.Writes] say what happened.
type Expectation func(w *World) error

// OneWriter expects that no write under a term was accepted after one under a greater term, and that each term was one
// node's.
func OneWriter(r *Resource) Expectation {
	if r == nil {
		return nil
	}
	return func(*World) error {
		var last Write
		writers := map[uint64]int{}
		for _, k := range r.Writes() {
			if k.Refused {
				continue
			}
			if k.Term < last.Term {
				return unmetAt("OneWriter", k.At, "%s: n%d writes under term %d; n%d had under term %d at %v",
					r.name, k.Node, k.Term, last.Node, last.Term, last.At.Round(time.Millisecond))
			}
			if n, known := writers[uint64(k.Term)]; known && n != k.Node {
				return unmetAt("OneWriter", k.At, "%s: n%d and n%d both wrote under term %d", r.name, n, k.Node, k.Term)
			}
			writers[uint64(k.Term)] = k.Node
			last = k
		}
		return nil
	}
}

// FailoverWithin expects that, whenever nobody leads, somebody does within d. A leader that crashes or is paused does
// not lead. While the store is down, refuses everything or stands still the time does not run, and begins anew after.
func FailoverWithin(d time.Duration) Expectation {
	return func(w *World) error {
		var (
			wrong  []error
			since  time.Duration
			states [MaxNodes]fsm.State
			paused [MaxNodes]int
			away   int // faults that keep everybody from the store
			idle   = true
		)
		look := func(at time.Duration, end bool) {
			waits := away == 0 && !end
			for i := range states {
				waits = waits && (states[i] != fsm.Leader || paused[i] > 0)
			}
			if idle && !waits && at-since > d {
				wrong = append(wrong, unmetAt("FailoverWithin", since+d,
					"nobody led from %v to %v, for %v; expected at most %v", since.Round(time.Millisecond),
					at.Round(time.Millisecond), (at-since).Round(time.Millisecond), d))
			}
			if waits && !idle {
				since = at
			}
			idle = waits
		}
		for _, e := range w.trace.Entries {
			step := 1
			if e.Kind == FaultOver {
				step = -1
			}
			switch e.Kind {
			case Moved:
				states[e.Node] = e.To
			case Started, Crashed, Ended:
				states[e.Node] = fsm.Follower
			case Healed:
				away, paused = 0, [MaxNodes]int{}
			case FaultBegan, FaultOver:
				switch e.Fault.Kind {
				case Pause, Sleep:
					paused[e.Node] += step
				case Down, Refusing, Stall:
					away += step
				}
			}
			look(e.At, false)
		}
		look(w.scenario.End, true)
		return errors.Join(wrong...)
	}
}

// Drained expects that work returns within d of the end of its context, not counting while its process stood still.
func Drained(d time.Duration) Expectation {
	return func(w *World) error {
		var wrong []error
		var told, stood, froze [MaxNodes]time.Duration
		var runs, working, paused [MaxNodes]bool
		goesOn := func(i int, at time.Duration) {
			if paused[i] {
				stood[i] += max(at-max(froze[i], told[i]), 0)
			}
			paused[i] = false
		}
		over := func(i int, at time.Duration, how string) {
			if took := at - told[i] - stood[i]; working[i] && took > d {
				wrong = append(wrong, unmetAt("Drained", at,
					"n%d: work was told to stop at %v and %s %v later; expected at most %v", i,
					told[i].Round(time.Millisecond), how, took.Round(time.Millisecond), d))
			}
			runs[i], working[i] = false, false
		}
		for _, e := range w.trace.Entries {
			i := int(e.Node)
			switch {
			case e.Kind == Moved && e.To == fsm.Leader:
				runs[i] = true
			case e.Kind == Moved && e.From == fsm.Leader:
				told[i], stood[i], working[i] = e.At, 0, runs[i]
			case e.Kind == WorkEnded:
				over(i, e.At, "returned")
			case e.Kind == Crashed:
				runs[i], working[i], paused[i] = false, false, false
			case e.Kind == FaultBegan && stands(e.Fault):
				paused[i], froze[i] = true, e.At
			case e.Kind == FaultOver && stands(e.Fault):
				goesOn(i, e.At)
			case e.Kind == Healed:
				for i := range paused {
					goesOn(i, e.At)
				}
			}
		}
		for i := range working {
			over(i, w.scenario.End, "had not returned")
		}
		return errors.Join(wrong...)
	}
}

// stands reports whether a process stands still during f, as a trace has it.
func stands(f Fault) bool { return f.Kind == Pause || f.Kind == Sleep }
