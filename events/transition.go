package events

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Kind tells changes of state from the two other things worth reporting.
type Kind uint8

const (
	// Moved is a change of state, or in a snapshot the state itself.
	Moved Kind = iota
	// Observed is news of who leads: this node saw another holder, or saw that there is none. From and To are the
	// state it was in then.
	Observed
	// Overrun is a complaint: the work went on beyond its limit after its context had ended. From and To are equal.
	Overrun

	kinds = iota
)

var kindNames = [kinds]string{"moved", "observed", "overrun"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < kinds {
		return kindNames[k]
	}
	return "unknown kind"
}

// Transition is one thing that happened to one election on one node, as subscribers see it. It is a plain value.
//
// The type is comparable, but == panics if both Err hold an error of one type that cannot be compared, and it tells
// apart two times that differ only in their location. [Transition.Equal] has neither fault.
type Transition struct {
	// Seq numbers the events of one node, in the order in which they happened, from 1 on. In a snapshot it is the
	// number of the last event that the state reflects; 0 if the election has not had any.
	Seq uint64
	// Kind says what the event is; the zero Kind is a change of state.
	Kind Kind
	// Node is the name of the node that reports.
	Node string
	// Key is the election's key. It is empty only in a snapshot of all keys that found none.
	Key string
	// From and To are the states before and after. In a snapshot To is the present state.
	From, To fsm.State
	// Reason is why; in a snapshot, why the present state was entered. None if it is not known.
	Reason fsm.Reason
	// Term is this node's term while it leads or winds down, else the newest term it has seen. 0 if there was none.
	Term lease.Term
	// Leader is who leads as far as this node knows; the zero Holder is nobody or unknown.
	Leader lease.Holder
	// At is the wall clock of the reporting host. It is there for people: never order or expire anything by it.
	At time.Time
	// Err is the error behind the event, or nil.
	Err error
	// Snapshot marks a state that was read, not a change that was just seen.
	Snapshot bool
	// Missed counts the events of this subscription that were lost between the one before and this one. It is
	// exact, except that for a subscription to one key it may be too high after the hub itself was outrun.
	Missed uint64
}

// Equal reports whether t and o say the same: times are compared as instants, errors by their text.
func (t Transition) Equal(o Transition) bool {
	if !t.At.Equal(o.At) || (t.Err == nil) != (o.Err == nil) || (t.Err != nil && t.Err.Error() != o.Err.Error()) {
		return false
	}
	t.At, o.At, t.Err, o.Err = time.Time{}, time.Time{}, nil, nil
	return t == o
}

// String returns one line for people. Its form is not a format to parse; see [Transition.MarshalJSON].
func (t Transition) String() string {
	var b strings.Builder
	key := t.Key
	if key == "" {
		key = "(no election)"
	}
	fmt.Fprintf(&b, "#%d %s: ", t.Seq, key)
	switch {
	case t.Kind == Overrun:
		fmt.Fprintf(&b, "the work runs on beyond its limit while %v", t.To)
	case t.Kind == Observed && t.Leader.IsZero():
		fmt.Fprintf(&b, "%v sees no leader", t.To)
	case t.Kind == Observed:
		fmt.Fprintf(&b, "%v sees %v lead", t.To, t.Leader)
	case t.Snapshot:
		fmt.Fprintf(&b, "is %v", t.To)
	default:
		fmt.Fprintf(&b, "%v -> %v (%v)", t.From, t.To, t.Reason)
	}
	if t.Term > 0 {
		fmt.Fprintf(&b, ", term %v", t.Term)
	}
	if t.Missed > 0 {
		fmt.Fprintf(&b, ", %d missed before", t.Missed)
	}
	if t.Err != nil {
		fmt.Fprintf(&b, ": %v", t.Err)
	}
	return b.String()
}

// LogValue returns a group of what is set: seq, key, from, to, reason, term and so on, so that a Transition may be
// given to slog as it is. It leaves out At, because a log record has a time of its own.
func (t Transition) LogValue() slog.Value {
	a := make([]slog.Attr, 0, 12)
	a = append(a, slog.Uint64("seq", t.Seq))
	if t.Kind != Moved {
		a = append(a, slog.String("kind", t.Kind.String()))
	}
	if t.Node != "" {
		a = append(a, slog.String("node", t.Node))
	}
	a = append(a, slog.String("key", t.Key), slog.String("from", t.From.String()), slog.String("to", t.To.String()))
	if t.Reason != fsm.None {
		a = append(a, slog.String("reason", t.Reason.String()))
	}
	if t.Term > 0 {
		a = append(a, slog.Uint64("term", uint64(t.Term)))
	}
	if !t.Leader.IsZero() {
		a = append(a, slog.String("leader", t.Leader.Name))
	}
	if t.Snapshot {
		a = append(a, slog.Bool("snapshot", true))
	}
	if t.Missed > 0 {
		a = append(a, slog.Uint64("missed", t.Missed))
	}
	if t.Err != nil {
		a = append(a, slog.String("err", t.Err.Error()))
	}
	return slog.GroupValue(a...)
}
