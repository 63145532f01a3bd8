package fsm

import (
	"math"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Instant is a moment on the node's own clock: nanoseconds since some fixed moment of its life. It never goes back.
type Instant int64

// Never is later than every other Instant.
const Never Instant = math.MaxInt64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns how much later i is than j.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Kind says what an Input tells.
type Kind uint8

const (
	// Tick: time has passed, nothing else.
	Tick Kind = iota
	// Granted: the store has done what Call asked for. For an Acquire, Term is the new term.
	Granted
	// Refused: the store has definitely not done what Call asked for. Term, Who and Remaining tell what it has instead,
	// zero and negative if it did not say.
	Refused
	// Unknown: Call brought no usable answer. The store may have done it, or may do it yet. Permanent: trying again soon
	// is no use.
	Unknown
	// Seen: a watch has shown the record. Term, Who, Remaining tell it.
	Seen
	// Drained: the work has returned and nothing of it runs any more. Outcome says how.
	Drained
	// Resign: stop leading, then stand again after one poll and one retry. It does nothing unless the election leads.
	Resign
	// HandOver: stop leading, and do not stand until another has been seen leading or two TTLs have passed. It does
	// nothing unless the election leads.
	HandOver
	// Pause: stop leading and do not stand, until Resume.
	Pause
	// Resume: stand again, at once.
	Resume
	// Stop: stop leading, release the lease and end.
	Stop

	kinds = iota
)

// Who says whose lease a record shows.
type Who uint8

const (
	// Nobody holds it.
	Nobody Who = iota
	// Other: another holder, or another incarnation of the same name.
	Other
	// Us: this very holder.
	Us
)

// Outcome says how work returned.
type Outcome uint8

const (
	// Returned: without an error.
	Returned Outcome = iota
	// Errored: with an error.
	Errored
	// Over: the work says that the election is over for this node.
	Over
)

// Op is a call to the store, named after the Manager's method.
type Op uint8

const (
	// NoCall asks for nothing.
	NoCall Op = iota
	// Acquire asks for the lease.
	Acquire
	// Renew asks to make the lease of Call.Term last longer.
	Renew
	// Release gives the lease of Call.Term back.
	Release

	ops = iota
)

// Input is one fact, with the instant at which it is handled. Now never goes back from one Input to the next. Fields
// that a Kind does not mention are zero.
type Input struct {
	Kind      Kind
	Op        Op // Granted, Refused, Unknown: the Op of the call answered
	Who       Who
	Outcome   Outcome
	Permanent bool
	Now       Instant
	Call      uint64 // Granted, Refused, Unknown: the number of the call answered
	Term      lease.Term
	Remaining time.Duration // negative: not known
}

// Call is a request that the host makes to the store. It counts its time limit from the Input that brought it forth.
type Call struct {
	Op     Op
	Number uint64 // goes into the answer; 0: no answer is awaited
	Term   lease.Term
	// Timeout is how long the answer is of use. The host gives up on the call then, and tells Unknown or just Ticks.
	Timeout time.Duration
}

var (
	kindNames = [kinds]string{
		"tick", "granted", "refused", "unknown", "seen", "drained", "resign", "hand_over", "pause", "resume", "stop",
	}
	opNames = [ops]string{"none", "acquire", "renew", "release"}
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < kinds {
		return kindNames[k]
	}
	return "unknown kind"
}

// String returns the name of the Manager's method in lower case.
func (o Op) String() string {
	if int(o) < ops {
		return opNames[o]
	}
	return "unknown op"
}
