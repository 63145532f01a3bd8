package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// EntryKind says what an Entry of a trace tells.
type EntryKind uint8

const (
	Started    EntryKind = iota // the process started
	Moved                       // the election moved from From to To for Reason
	Asked                       // the process sent request number Call
	CarriedOut                  // the store decided request number Call
	Answered                    // the process learned the answer
	LostThere                   // the request was lost
	LostBack                    // the answer was lost
	WorkEnded                   // the work of Term returned
	Wrote                       // the work of Term wrote to the fenced resource, which accepted it
	Barred                      // the work of Term wrote to the fenced resource, which refused it
	Ended                       // the process ended after a graceful stop
	Crashed                     // the process died
	FaultBegan                  // Fault began
	FaultOver                   // Fault is over
	Healed                      // everything was left in peace
	Violated                    // an invariant did not hold: Text
)

// Entry is one line of a trace. Fields that its Kind does not mention are zero.
type Entry struct {
	At      time.Duration // true time since the start of the schedule
	Kind    EntryKind
	Node    int8 // -1: none, the store
	Op      fsm.Op
	Answer  fsm.Kind // CarriedOut, Answered: Granted, Refused or Unknown
	From    fsm.State
	To      fsm.State
	Reason  fsm.Reason
	Holder  int8 // CarriedOut: who has the lease now; -1: nobody
	Term    lease.Term
	Call    uint64
	Until   int64 // Moved, Answered: the true time until which the node believes that it may act
	Expires int64 // CarriedOut: the true time at which the lease ends at the store
	Fault   Fault
	Text    string
}

// Trace is what happened in a schedule, in order.
type Trace struct {
	Scenario Scenario
	Entries  []Entry
	// Digest is a hash of every event and every step. Two runs of one scenario have the same, on any machine.
	Digest    uint64
	Violation Violation
}

// log keeps e if a trace is kept at all.
func (w *world) log(e Entry) {
	if w.trace != nil {
		w.keep(&e)
	}
}

func (w *world) keep(e *Entry) {
	e.At = time.Duration(w.now)
	if e.Node >= 0 && e.Kind == Moved {
		e.Until = w.until(e.Node)
	}
	w.trace.Entries = append(w.trace.Entries, *e)
}

// until is the true time until which node i believes that it may act; 0 if it does not lead or wind down.
func (w *world) until(i int8) int64 {
	n := &w.nodes[i]
	if n.machine.State() < fsm.Leader {
		return 0
	}
	return n.since + (int64(n.machine.Until())-n.shown)*1e6/(1e6+n.rate)
}

// logged is how many entries there are so far; 0 if no trace is kept.
func (w *world) logged() int {
	if w.trace == nil {
		return 0
	}
	return len(w.trace.Entries)
}

// believed notes in entry number i, an answer, what its node believes now that it has taken it in.
func (w *world) believed(i int) {
	if w.trace != nil {
		e := &w.trace.Entries[i]
		e.Until = w.until(e.Node)
	}
}
