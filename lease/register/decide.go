package register

import (
	"math"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// This file decides. It has no clock, no input or output, no goroutine and no error: what happened comes in as values,
// what to do goes out as a value. The exploration in the tests walks every order of events through it.

// Now is one instant, as an observer reads it off its clocks.
type Now struct {
	Local  time.Duration // on its own steady clock, from an epoch of its own
	Domain string        // names a clock that it shares with others; "" if it has none
	Shared time.Duration // on that clock
}

// Sight is what one observer knows of one key: a version, what that version holds, and since when the observer has
// seen exactly that. The zero Sight is the view of a key without a record.
type Sight struct {
	Version string
	Body    Body
	Since   time.Duration // on the observer's own clock, read after the answer came
}

// See returns what is known after the register has answered with version and b, and now is read after the answer. The
// same version again keeps the instant of first sight; any other starts it afresh.
func (s Sight) See(version string, b Body, now Now) Sight {
	if version == s.Version {
		return s
	}
	return Sight{Version: version, Body: b, Since: now.Local}
}

// Remaining is how much longer others must leave the lease alone: zero when it is free.
//
// Counted from first sight it is the holder's own TTL and drift times that more. For example: a holder sends a renewal
// for 10 s at its 0 s; the answer to a contender shows it at 3 s. The holder stops by its 10 s. The contender may take
// over at its 13.1 s, and by then 10 s have passed for the holder even if its clock is 1 % slow.
//
// If the record was written by a process on the same shared clock, it says when; that instant is later than the
// holder's start of the call, so the lease ends TTL after it on that clock. An instant that lies ahead is not
// believed.
func (s Sight) Remaining(now Now, drift float64) time.Duration {
	b := s.Body
	if b.Holder.IsZero() {
		return 0
	}
	left := s.Since + b.TTL + time.Duration(math.Ceil(float64(b.TTL)*drift)) - now.Local
	if b.Domain != "" && b.Domain == now.Domain && b.At <= now.Shared {
		left = min(left, b.TTL-(now.Shared-b.At))
	}
	return max(left, 0)
}

// Record is s as observers are told of it.
func (s Sight) Record(key string, now Now, drift float64) lease.Record {
	l := lease.Lease{Key: key, Holder: s.Body.Holder, Term: s.Body.Term}
	return lease.Record{Lease: l, Remaining: s.Remaining(now, drift)}
}

// Op is what a Call is to do. The zero Op is none.
type Op uint8

// The operations of a [lease.Manager].
const (
	Acquire Op = iota + 1
	Renew
	Release
)

// String returns the name of the operation in lower case.
func (o Op) String() string { return [...]string{"nothing", "acquire", "renew", "release"}[o%4] }

// Step is what Next wants done.
type Step uint8

const (
	// Write: store Body on the condition that the version is Version, and unless that succeeds, load and ask again.
	Write Step = iota + 1
	// Done: the operation is carried out; Body is what the register holds for it.
	Done
	// Refused: somebody else holds the lease (Acquire), or it is not the caller's (Renew, Release).
	Refused
	// GiveUp: MaxWrites writes have led nowhere. The outcome is unknown.
	GiveUp
	// Spent: the next term would be greater than MaxTerm.
	Spent
)

// MaxWrites is how often one Call writes before it gives up. One conflict is ordinary, two are rare.
const MaxWrites = 4

// Move is the answer of Next.
type Move struct {
	Step    Step
	Body    Body   // for Write and Done
	Version string // for Write: the condition; "" means that there must be no record
}

// Call is one operation on its way. It is a comparable value; its zero fields are those that do not concern the Op.
type Call struct {
	Op     Op
	Holder lease.Holder
	Term   lease.Term    // Renew, Release: the term of the lease
	TTL    time.Duration // Acquire, Renew
	Nonce  string        // unlike that of every other call, of anybody
	Floor  lease.Term    // Acquire: the term must be greater than this
	Drift  float64       // how much longer than its TTL a lease is left alone, as a fraction

	Sent   Body   // the last write, once there was one
	On     string // its condition
	Writes int    // how many there were
}

// Next decides, given the present view of the key and the present instant, which must not be earlier than the call's
// start. Ask again with the Call it returns and a fresh view after each Write that did not succeed.
func (c Call) Next(s Sight, now Now) (Call, Move) {
	if c.Writes > 0 {
		if c.wrote(s.Body) {
			return c, Move{Step: Done, Body: s.Body}
		}
		if c.Writes == MaxWrites {
			return c, Move{Step: GiveUp}
		}
		if s.Version == c.On { // not arrived, or not yet: the same again, whichever arrives will do
			c.Writes++
			return c, Move{Step: Write, Body: c.Sent, Version: c.On}
		}
	}
	switch c.Op {
	case Acquire:
		return c.acquire(s, now)
	case Renew:
		return c.renew(s, now)
	default:
		return c.release(s)
	}
}

// wrote reports whether b is the last write of this call.
func (c Call) wrote(b Body) bool {
	return b.Nonce == c.Sent.Nonce && b.Term == c.Sent.Term && b.Seq == c.Sent.Seq
}

// Holds reports whether b is the lease of this call: holder, incarnation and term all match.
func (c Call) Holds(b Body) bool {
	return b.Term == c.Term && b.Holder.Is(c.Holder) && !c.Holder.IsZero()
}

func (c Call) write(s Sight, b Body) (Call, Move) {
	b.Nonce = c.Nonce
	c.Sent, c.On = b, s.Version
	c.Writes++
	return c, Move{Step: Write, Body: b, Version: s.Version}
}

func (c Call) acquire(s Sight, now Now) (Call, Move) {
	if !s.Body.Holder.Is(c.Holder) && s.Remaining(now, c.Drift) > 0 {
		return c, Move{Step: Refused}
	}
	last := max(s.Body.Term, c.Floor)
	if last >= MaxTerm {
		return c, Move{Step: Spent}
	}
	return c.write(s, Body{Holder: c.Holder, Term: last + 1, TTL: c.TTL, Domain: now.Domain, At: now.Shared})
}

func (c Call) renew(s Sight, now Now) (Call, Move) {
	if !c.Holds(s.Body) {
		return c, Move{Step: Refused}
	}
	next := Body{Holder: c.Holder, Term: c.Term, Seq: s.Body.Seq + 1, TTL: c.TTL, Domain: now.Domain, At: now.Shared}
	return c.write(s, next)
}

func (c Call) release(s Sight) (Call, Move) {
	if s.Body.Holder.IsZero() && s.Body.Term == c.Term && c.Term > 0 { // released before
		return c, Move{Step: Done, Body: s.Body}
	}
	if !c.Holds(s.Body) {
		return c, Move{Step: Refused}
	}
	return c.write(s, Body{Term: c.Term, Seq: s.Body.Seq + 1})
}
