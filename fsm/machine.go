package fsm

import (
	"math/bits"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// maxDoublings bounds how far a back-off grows: to 16 times where it began.
const maxDoublings = 4

// New returns an election that follows and stands at once, whatever the instant. t is shared and must be complete
// (see [Timing.Derive]) and unchanging. Seeds differ between nodes, so that their jitter does.
func New(t *Timing, seed uint64) Machine { return Machine{timing: t, random: seed} }

// Retimed returns m with another timing, for a lease length that differs from acquisition to acquisition. It returns m
// unchanged unless m is a Follower: the timing of a lease does not change while it is asked for or held.
func (m Machine) Retimed(t *Timing) Machine {
	if m.state == Follower {
		m.timing = t
	}
	return m
}

// State returns where the election stands.
func (m Machine) State() State { return m.state }

// Reason returns why the latest move was made, None before the first.
func (m Machine) Reason() Reason { return m.reason }

// Timing returns the timing in use. It is shared: do not change it.
func (m Machine) Timing() *Timing { return m.timing }

// Term returns the term of the lease while State is Leader or Releasing, and otherwise the greatest term heard of.
func (m Machine) Term() lease.Term { return m.term }

// Until returns the instant at which leadership ends unless a renewal succeeds before. It means something only while
// State is Leader or Releasing.
func (m Machine) Until() Instant { return m.until }

// Leading reports whether the work may act at now. It turns false at Until whether or not Step has been called.
func (m Machine) Leading(now Instant) bool { return m.state == Leader && now < m.until }

// Overran reports whether the work has outstayed the time it had to return after it was told to.
func (m Machine) Overran() bool { return m.overran }

// Paused reports whether the election was asked not to lead.
func (m Machine) Paused() bool { return m.paused }

// Stopped reports whether the election was asked to end, or its work said that it is over.
func (m Machine) Stopped() bool { return m.stopped }

// Done reports whether the election has ended: nothing is held, nothing is awaited, and no input will change that.
func (m Machine) Done() bool { return m.state == Follower && m.stopped && !m.doubt }

// Awaits returns which call's answer is awaited, and the call's number; NoCall and 0 if none is.
func (m Machine) Awaits() (Op, uint64) {
	if m.awaits == NoCall {
		return NoCall, 0
	}
	return m.awaits, m.calls
}

// Wake returns when to Step with a Tick, unless something else comes first. It may lie in the past, which means now.
// Waking too early or too often is harmless.
func (m Machine) Wake() Instant { return m.wake() }

func (m *Machine) wake() Instant {
	limit := Never
	if m.awaits != NoCall {
		limit = m.limit()
	}
	switch m.state {
	case Follower:
		if (m.stopped || m.paused) && !m.doubt {
			return Never
		}
		return m.next
	case Acquiring:
		return limit
	case Leader:
		if m.awaits == NoCall {
			limit = m.next
		}
		return min(limit, m.until)
	}
	switch {
	case m.working && m.renewing:
		if m.awaits == NoCall {
			limit = m.next
		}
		return min(limit, m.until, m.by)
	case m.working && m.overran:
		return limit
	case m.working:
		return min(limit, m.by)
	case m.awaits != NoCall:
		return limit
	case m.gone:
		return m.next
	}
	return min(m.next, m.by)
}

// move changes the state, for a reason that the table allows.
func (m *Machine) move(s State, r Reason) { m.state, m.reason = s, r }

// call asks for op, to be answered within the call timeout or d, whichever is less.
func (m *Machine) call(op Op, now Instant, d time.Duration) Call {
	m.calls++
	m.awaits, m.sent = op, now
	return Call{Op: op, Number: m.calls, Term: m.term, Timeout: min(d, m.timing.CallTimeout)}
}

// limit is the instant from which the answer to the call in flight is no longer awaited.
func (m *Machine) limit() Instant {
	limit := m.sent.Add(m.timing.CallTimeout)
	switch {
	case m.awaits == Renew:
		limit = min(limit, m.until)
	case m.state == Releasing:
		limit = min(limit, m.by)
	}
	return limit
}

// handBack answers a grant that came when it was no longer awaited: the lease is released again (R10), unless it is
// the very one in use, told twice. Nothing waits for that release.
//
// Terms tell in which order our own Acquires were carried out, which need not be the order in which they were sent or
// answered. A late grant of a greater term than ours has ended the lease that the work runs under, but keeps everybody
// else out until the work has returned; so it must not be freed before (R8). The next renewal is refused.
func (m *Machine) handBack(in *Input) Call {
	switch {
	case in.Kind != Granted || in.Op != Acquire:
		return Call{}
	case m.state < Leader:
		m.term = max(m.term, in.Term) // the answer that is awaited may be of an earlier grant
	case m.doubt:
	case in.Term == m.term, in.Term > m.term && m.working:
		return Call{}
	}
	return Call{Op: Release, Term: in.Term, Timeout: m.timing.CallTimeout}
}

// drained takes in that the work has returned. Its error counts only if it came before the work was told to stop.
func (m *Machine) drained(in *Input) {
	if !m.working {
		return
	}
	m.working = false
	m.by, m.next = in.Now.Add(m.timing.releaseLimit()), in.Now
	m.stopped = m.stopped || in.Outcome == Over
	m.failed = m.state == Leader && in.Outcome == Errored
	switch {
	case !m.failed:
		m.failures = 0
	case in.Now.Sub(m.since) > m.timing.TTL: // it went well for a while
		m.failures = 1
	default:
		m.failures = min(m.failures+1, maxDoublings)
	}
}

// rest is how long to stand back after a tenure.
func (m *Machine) rest() time.Duration {
	t := m.timing
	switch m.left {
	case Paused, Stopped:
		return 0
	case HandedOver:
		return 2 * t.TTL
	case Finished, Resigned: // others get their chance: they stand within one poll
		rest := t.Poll + t.Retry
		if m.failed {
			rest = t.Poll<<m.failures + m.jitter(t.Retry)
		}
		return rest
	}
	return m.jitter(t.Retry)
}

// wait is how long to follow a holder whose lease lasts for another remaining: never longer than one poll, never so
// short that a store which rounds down is asked in a tight loop.
func (m *Machine) wait(remaining time.Duration) time.Duration {
	poll := m.jitter(m.timing.Poll)
	if remaining < 0 {
		return poll
	}
	return min(poll, max(remaining, m.timing.TTL/1000))
}

// backOff is how long to wait after an Acquire without a usable answer.
func (m *Machine) backOff(permanent bool) time.Duration {
	d := m.timing.Retry << (m.tries - 1)
	if permanent {
		d = max(d, 4*m.timing.Poll)
	}
	return m.jitter(d)
}

// jitter shortens d by a random part, up to Timing.Jitter percent. The generator is SplitMix64 (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", 2014).
func (m *Machine) jitter(d time.Duration) time.Duration {
	if m.timing.Jitter <= 0 {
		return d
	}
	m.random += 0x9e3779b97f4a7c15
	z := m.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	off, _ := bits.Mul64(uint64(d)/100*uint64(m.timing.Jitter), z^z>>31)
	return d - time.Duration(off)
}
