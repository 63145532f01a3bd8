package fsm

import "github.com/go-tenure/tenure/lease"

// The whole election. Facts come in through Step, one at a time, each with the instant at which it is handled. A Step
// makes at most one move between states and asks for at most one call to the store.
//
//	Follower   waits until `next`, then asks for the lease            -> Acquiring
//	Acquiring  waits for the answer or the call's time limit          -> Leader, Follower, Releasing
//	Leader     renews; ends at `until` whatever else happens          -> Releasing
//	Releasing  waits for the work to return, renewing if it left of
//	           its own will, then gives the lease back                -> Follower

// Machine is one election on one node: a comparable value, copied freely, without clock, channel or goroutine.
// Make it with [New].
type Machine struct {
	timing *Timing
	random uint64     // state of the jitter's generator
	until  Instant    // Leader, Releasing: we may act under the lease until then (R1)
	next   Instant    // the next thing to do of our own accord
	sent   Instant    // when the latest call was asked for
	by     Instant    // Releasing: by then the work, and after it the store, should have answered
	since  Instant    // Leader, Releasing: when the term was won
	calls  uint64     // number of the latest call; the awaited one if awaits is not NoCall
	term   lease.Term // Leader, Releasing: our term; otherwise the greatest heard of
	state  State
	reason Reason // of the latest move
	left   Reason // why Releasing was entered the last time
	awaits Op

	working  bool  // the work may be running: it has not been reported as Drained
	renewing bool  // Releasing: go on renewing while the work winds down (R8)
	gone     bool  // Releasing: the lease is known not to be ours, nothing to release
	doubt    bool  // an Acquire of unknown outcome is not settled yet (R7)
	vacant   bool  // Acquiring: seen vacant since the call was sent
	overran  bool  // Releasing: the work did not return in time
	holdBack bool  // Follower: wait until next even if the lease is vacant
	paused   bool  // asked not to lead
	stopped  bool  // asked to end, or the work said that the election is over
	failed   bool  // the work of the latest tenure ended it with an error
	tries    uint8 // calls without a usable answer, in a row
	failures uint8 // tenures that ended in an error, in a row
}

// Step takes in one fact and returns what the election has become, and the call that it wants made, if any. The
// answer to a call is owed as an Input of its own, except to calls with number 0. Afterwards the host looks at
// [Machine.Wake] and, if that is not later than now, steps again with a Tick at once.
func (m Machine) Step(in Input) (Machine, Call) {
	c := m.step(&in)
	return m, c
}

// step changes m in place. Within, facts and machines go by reference: copying them takes longer than deciding.
func (m *Machine) step(in *Input) Call {
	if m.state == Leader && in.Now >= m.until { // before all else and whatever the input (R2)
		m.leave(Expired, in.Now)
	}
	switch in.Kind {
	case Granted, Refused, Unknown:
		if m.awaits == NoCall || in.Call != m.calls { // no longer awaited (R10)
			return m.handBack(in)
		}
		in.Op, m.awaits = m.awaits, NoCall
	case Tick:
		if m.awaits != NoCall && in.Now >= m.limit() { // it is awaited no longer
			in.Kind, in.Op, m.awaits = Unknown, m.awaits, NoCall
		}
	case Pause, Resume:
		m.paused = in.Kind == Pause
	case Stop:
		m.stopped = true
	}
	switch in.Kind {
	case Granted, Refused:
		m.tries = 0
	case Unknown: // neither done nor refused (R7): ask again, soon (R12)
		m.tries = min(m.tries+1, maxDoublings+1)
		m.doubt = m.doubt || in.Op == Acquire
		m.next = in.Now.Add(m.jitter(m.timing.Retry))
	}
	switch m.state {
	case Follower:
		return m.follower(in)
	case Acquiring:
		return m.acquiring(in)
	case Leader:
		return m.leader(in)
	default:
		return m.releasing(in)
	}
}

func (m *Machine) follower(in *Input) Call {
	stand := Due
	switch in.Kind {
	case Resume:
		m.next, m.holdBack = in.Now, false
	case Stop:
		m.next = in.Now // matters only in doubt: settle it before the end
	case Seen:
		if in.Term < m.term { // stale (R3)
			break
		}
		another := in.Who == Other || in.Who == Nobody && in.Term > m.term // whose term is over again
		m.term = in.Term
		if m.holdBack && m.left == HandedOver && another { // handed over: a follower like any other again
			m.holdBack, m.next = false, in.Now.Add(m.wait(in.Remaining))
		}
		if !m.holdBack && in.Who == Nobody {
			stand, m.next = Vacant, in.Now
		} else if !m.holdBack && in.Who == Other { // news may bring the next attempt forward, never put it off
			m.next = min(m.next, in.Now.Add(m.wait(in.Remaining)))
		}
	}
	if in.Now < m.wake() {
		return Call{}
	}
	m.move(Acquiring, stand)
	m.holdBack, m.vacant, m.left = false, false, None
	return m.call(Acquire, in.Now, m.timing.CallTimeout)
}

func (m *Machine) acquiring(in *Input) Call {
	switch in.Kind {
	case Seen:
		if in.Who != Us && in.Term >= m.term { // a grant that is still under way may be over already
			m.term, m.vacant = in.Term, in.Who == Nobody
		}
	case Granted:
		over := in.Term <= m.term                                               // later news came sooner (R3)
		m.term, m.since, m.until = in.Term, in.Now, m.sent.Add(m.timing.lead()) // from before it was sent (R1)
		m.doubt = false
		switch {
		case m.stopped:
			m.leave(Stopped, in.Now)
		case m.paused:
			m.leave(Paused, in.Now)
		case over || in.Now >= m.until:
			m.leave(Late, in.Now)
		default:
			m.move(Leader, Won)
			m.working, m.next = true, m.sent.Add(m.jitter(m.timing.Renew))
		}
	case Refused:
		m.doubt = false
		m.next = in.Now.Add(m.wait(in.Remaining))
		if m.vacant && in.Term <= m.term { // the news is newer than the refusal (R3)
			m.next = in.Now
		}
		m.term = max(m.term, in.Term)
		m.move(Follower, Held)
	case Unknown:
		switch {
		case m.stopped: // it may have been granted: find out, and give it back (R7)
			m.leave(Stopped, in.Now)
		case m.paused:
			m.leave(Paused, in.Now)
		default:
			m.holdBack, m.next = true, in.Now.Add(m.backOff(in.Permanent))
			m.move(Follower, Failed)
		}
	}
	return Call{}
}

func (m *Machine) leader(in *Input) Call {
	switch in.Kind {
	case Granted:
		m.extend()
	case Refused:
		m.leave(Lost, in.Now)
	case Seen:
		if m.news(in); m.gone {
			m.leave(Lost, in.Now)
		}
	case Drained:
		m.drained(in)
		m.leave(Finished, in.Now)
	case Resign:
		m.leave(Resigned, in.Now)
	case HandOver:
		m.leave(HandedOver, in.Now)
	case Pause:
		m.leave(Paused, in.Now)
	case Stop:
		m.leave(Stopped, in.Now)
	}
	if m.state != Leader {
		return Call{}
	}
	return m.renew(in.Now)
}

func (m *Machine) releasing(in *Input) Call {
	switch in.Kind {
	case Drained:
		m.drained(in)
	case Seen:
		m.news(in)
		if m.left == HandedOver && in.Who != Us && in.Term > m.term { // another leads already: no need to stand back
			m.left = Lost
		}
	case Granted:
		switch in.Op {
		case Acquire: // the doubtful one is settled: now there is something to release
			m.term, m.doubt, m.next = in.Term, false, in.Now
		case Renew:
			m.extend()
		case Release:
			m.follow(Released, in.Now)
			return Call{}
		}
	case Refused:
		m.gone, m.doubt = true, false
	}
	if m.working {
		return m.drain(in.Now)
	}
	if in.Op == Renew { // the last renewal is settled: nothing stands in the way of the release any more
		m.next = in.Now
	}
	switch {
	case m.awaits != NoCall: // one call at a time: what is in flight settles first
	case m.gone:
		m.follow(Gone, in.Now)
	case in.Now >= m.by:
		m.follow(Abandoned, in.Now)
	case in.Now < m.next:
	case m.doubt:
		return m.call(Acquire, in.Now, m.by.Sub(in.Now))
	default:
		return m.call(Release, in.Now, m.by.Sub(in.Now)) // only now, after the work has returned (R8)
	}
	return Call{}
}

// drain is Releasing while the work has not returned.
func (m *Machine) drain(now Instant) Call {
	if m.renewing && (m.gone || now >= m.until) { // lost while winding down: now it is urgent
		m.renewing, m.by = false, min(m.by, now.Add(m.timing.grace()))
	}
	if now >= m.by {
		m.renewing, m.overran = false, true
	}
	if !m.renewing {
		return Call{}
	}
	return m.renew(now)
}

// renew asks for a renewal if one is due and none is awaited.
func (m *Machine) renew(now Instant) Call {
	if m.awaits != NoCall || now < m.next {
		return Call{}
	}
	return m.call(Renew, now, m.until.Sub(now))
}

// extend takes in a successful renewal: the lease counts from before it was sent, and never shrinks (R1).
func (m *Machine) extend() {
	m.until = max(m.until, m.sent.Add(m.timing.lead()))
	m.next = m.sent.Add(m.jitter(m.timing.Renew))
}

// news takes in what a watch has shown while the lease is, or was, ours (R3).
func (m *Machine) news(in *Input) {
	switch {
	case m.doubt: // our own term is not known yet
	case in.Term == 0 && in.Who != Us: // cannot be told from stale news: ask the store
		m.next = min(m.next, in.Now)
	case in.Term > m.term, in.Term == m.term && in.Who != Us:
		m.gone = true
	}
}

// leave enters Releasing. If there is nothing to wait for, Wake makes the host go on at once.
func (m *Machine) leave(r Reason, now Instant) {
	m.move(Releasing, r)
	m.left, m.gone, m.overran = r, r == Lost, false
	m.renewing = m.working && (r == Resigned || r == HandedOver || r == Paused || r == Stopped)
	switch {
	case m.renewing:
		m.by = now.Add(m.timing.Drain)
	case m.working:
		m.by = now.Add(m.timing.grace())
	default:
		m.by, m.next = now.Add(m.timing.releaseLimit()), now
	}
}

// follow ends Releasing. How soon to stand again depends on why we left.
func (m *Machine) follow(r Reason, now Instant) {
	m.move(Follower, r)
	m.holdBack, m.doubt, m.renewing, m.gone = true, false, false, false
	m.tries = 0 // what calls the leader made in vain says nothing about the next Acquire
	m.next = now.Add(m.rest())
}
