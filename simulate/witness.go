package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// witness is what the checker remembers of one node.
type witness struct {
	asked     int64       // true time at which its latest request was sent
	sent      fsm.Instant // by its own clock, when the machine asked for the latest call that it awaits
	limit     fsm.Instant // until when it awaits the answer
	told      fsm.Instant // Releasing: when it left
	ends      fsm.Instant // asked to stop: it must have ended by then; 0: no such limit
	carried   uint64      // number of its latest request that the store has decided
	freed     uint64      // greatest term that it asked to release
	unheard   uint64      // term that it won, while it gave the answer up
	overtaken bool        // the request decided last had been overtaken by a later one, or came twice
	settling  bool        // it was stopped in doubt
	vacancy   bool        // the latest news since its latest Acquire is that the lease is free
	steady    int         // waits in a row that no jitter has shortened

	hit   faultSet // what has struck since it last began to follow
	stays lasting  // what is in force
	first uint64   // number of the latest request of earlier incarnations
}

// winner is which request has won the lease that the store shows.
type winner struct {
	term      uint64
	overtaken bool // a later request of the same process had been carried out before
	at        int64
}

// witness checks one step for what has to do with more than that step.
func (c *checker) witness(w *world, i uint8, was *fsm.Machine, in *fsm.Input, call *fsm.Call) {
	n, o := &w.nodes[i], &c.nodes[i]
	m := &n.machine
	from, to := was.State(), m.State()
	op, number := was.Awaits()
	answer := in.Kind == fsm.Granted || in.Kind == fsm.Refused || in.Kind == fsm.Unknown
	settled := answer && op != fsm.NoCall && in.Call == number
	if answer && !settled && in.Kind == fsm.Granted && in.Op == fsm.Acquire {
		c.late(w, i, was, in, call)
	}
	if settled && op == fsm.Acquire && in.Kind != fsm.Unknown && o.unheard != 0 {
		c.seen.duty(WonUnheard)
		o.unheard = 0
	}
	if now, _ := m.Awaits(); op == fsm.Acquire && now == fsm.NoCall && !(settled && in.Kind != fsm.Unknown) &&
		w.store.holder == i+1 && w.store.inc == n.inc && w.store.live(w.now) { // given up, though it has won
		o.unheard = w.store.term
	}
	c.pace(w, i, was, in, call, settled)
	if from == fsm.Follower && to == fsm.Follower {
		c.follows(w, i, was, in)
	}
	if from != to {
		c.turned(w, i, was, in)
	}
	if m.Stopped() {
		c.stops(w, i, was, in)
	}
	if to == fsm.Releasing && n.work.running {
		c.windsDown(w, i, was, in)
	}
	if call.Op != fsm.NoCall && call.Number != 0 {
		o.sent, o.limit, o.vacancy = in.Now, in.Now.Add(call.Timeout), false
	}
	if call.Op != fsm.NoCall {
		o.asked = w.now
	}
	if call.Op == fsm.Release {
		o.freed = max(o.freed, uint64(call.Term))
	}
}

// late checks what is done with a grant that is no longer awaited (R10).
func (c *checker) late(w *world, i uint8, was *fsm.Machine, in *fsm.Input, call *fsm.Call) {
	back := call.Op == fsm.Release && call.Term == in.Term
	if was.State() < fsm.Leader && !back {
		c.fail(w, "R10", "n%d keeps the lease of term %d, granted too late", i, in.Term)
	}
	if back {
		c.seen.duty(HandedBack)
		if was.Stopped() {
			c.seen.duty(LateAfterStop)
		}
	}
}

// pace checks that calls follow one another, not too soon and not all at once.
func (c *checker) pace(w *world, i uint8, was *fsm.Machine, in *fsm.Input, call *fsm.Call, settled bool) {
	m, o := &w.nodes[i].machine, &c.nodes[i]
	if op, _ := was.Awaits(); op != fsm.NoCall && !settled && call.Number != 0 && in.Now < o.limit {
		c.fail(w, "load", "n%d asks for %v while it awaits the answer to %v", i, call.Op, op)
	}
	if in.Kind == fsm.Seen && in.Who != fsm.Us && in.Term >= was.Term() {
		o.vacancy = in.Who == fsm.Nobody
	}
	switch {
	case m.State() == fsm.Follower && was.State() == fsm.Acquiring && m.Reason() == fsm.Held:
		if o.vacancy && in.Term <= was.Term() {
			c.seen.duty(StaleRefusal)
			if m.Wake() > in.Now && !m.Paused() && !m.Stopped() {
				c.fail(w, "live", "n%d was refused for a tenure that it has seen end, and follows on", i)
			}
		} else if floor := min(c.timing.TTL/1000, c.timing.Poll/2); m.Wake().Sub(in.Now) < floor {
			c.fail(w, "load", "n%d stands again %v after it was refused", i, m.Wake().Sub(in.Now))
		}
	case m.State() == fsm.Leader && settled && in.Kind == fsm.Granted:
		if was.State() == fsm.Leader && was.Until().Sub(in.Now) < c.timing.Retry {
			c.seen.duty(LastRetry)
		}
		if c.timing.Jitter <= 0 || m.Wake() != o.sent.Add(c.timing.Renew) {
			o.steady = 0
		} else if o.steady++; o.steady == 3 {
			c.fail(w, "load", "n%d renews exactly every %v; without jitter all nodes ask at once", i, c.timing.Renew)
		}
	}
}

// follows checks what a follower makes of news (R3).
func (c *checker) follows(w *world, i uint8, was *fsm.Machine, in *fsm.Input) {
	m := &w.nodes[i].machine
	if m.Term() < was.Term() {
		c.fail(w, "R3", "n%d believes stale news of term %d after term %d", i, m.Term(), was.Term())
	}
	if in.Kind == fsm.Seen && in.Who == fsm.Nobody && in.Term >= was.Term() && was.Reason() == fsm.Held &&
		!was.Paused() && !was.Stopped() {
		c.fail(w, "live", "n%d follows on although the lease is free", i)
	}
}

// turned checks a move from one state to another.
func (c *checker) turned(w *world, i uint8, was *fsm.Machine, in *fsm.Input) {
	n, o, s := &w.nodes[i], &c.nodes[i], &w.store
	m := &n.machine
	ours := s.holder == i+1 && s.inc == n.inc && s.live(w.now)
	switch from := was.State(); m.State() {
	case fsm.Acquiring:
		if m.Reason() == fsm.Vacant && in.Term < was.Term() {
			c.fail(w, "R3", "n%d stands for stale news of term %d after term %d", i, in.Term, was.Term())
		}
	case fsm.Leader:
		if m.Stopped() || m.Paused() {
			c.fail(w, "stop", "n%d begins to lead although it was asked not to", i)
		}
	case fsm.Releasing:
		o.told = in.Now
		o.settling = from == fsm.Acquiring && in.Kind != fsm.Granted && m.Reason() == fsm.Stopped
		if m.Reason() == fsm.Lost && ours && s.term == uint64(m.Term()) && !c.beyond {
			c.fail(w, "R3", "n%d gives up term %d for lost, which is still its own", i, m.Term())
		}
	case fsm.Follower:
		if m.Reason() == fsm.Released && o.settling {
			c.seen.duty(SettledStop)
		}
	}
}

// stops checks that a node which was asked to stop ends soon, and leaves nothing behind (R7).
func (c *checker) stops(w *world, i uint8, was *fsm.Machine, in *fsm.Input) {
	n, o, s := &w.nodes[i], &c.nodes[i], &w.store
	m := &n.machine
	switch {
	case n.paused > 0 || n.jumped > 0 || n.slow > 0 || n.work.running:
		o.ends = 0
	case !was.Stopped() || o.ends == 0: // what is in flight, then asking and releasing
		o.ends = in.Now.Add(3*c.timing.CallTimeout + c.timing.Retry)
	case in.Now > o.ends && !m.Done():
		c.fail(w, "stop", "n%d has not ended %v after it was asked to stop", i, 3*c.timing.CallTimeout+c.timing.Retry)
	}
	ours := s.holder == i+1 && s.inc == n.inc && s.live(w.now)
	known := c.winner.term == s.term && !c.winner.overtaken && o.freed != s.term
	if m.Done() && ours && known && m.Reason() != fsm.Abandoned && !c.beyond {
		c.fail(w, "R7", "n%d ends, and leaves the lease of term %d behind", i, s.term)
	}
}

// windsDown checks Releasing while the work runs: who left of its own will does not let the lease run out (R8).
func (c *checker) windsDown(w *world, i uint8, was *fsm.Machine, in *fsm.Input) {
	n, s := &w.nodes[i], &w.store
	m := &n.machine
	if m.Overran() {
		c.seen.duty(Overran)
	}
	switch c.left[i] {
	case fsm.Resigned, fsm.HandedOver, fsm.Paused, fsm.Stopped:
	default:
		return
	}
	if was.State() != fsm.Releasing {
		return
	}
	if s.holder != i+1 || s.inc != n.inc || s.term != uint64(m.Term()) || in.Now >= m.Until() {
		c.seen.duty(LostWindingDown)
		return
	}
	if in.Now < c.nodes[i].told.Add(c.timing.Drain) && m.Wake() > m.Until() {
		c.fail(w, "R8", "n%d lets its lease run out while its work winds down", i)
	}
}

// reached takes note of a request that the store has decided: whether it was overtaken, and whether it lost a race.
func (c *checker) reached(w *world, it item, answer fsm.Kind) {
	o := &c.nodes[it.node]
	o.overtaken = uint64(it.left) <= o.carried
	o.carried = max(o.carried, uint64(it.left))
	if it.op == fsm.Acquire && answer == fsm.Refused && o.asked < c.winner.at {
		c.seen.duty(RaceLost)
	}
}

// conditional checks that what the store has just done with it was its to do: was is what it showed before (R5, R6).
func (c *checker) conditional(w *world, it item, was record) {
	s := &w.store
	clock := s.clock(w.now)
	ours := was.holder == it.node+1 && was.inc == it.inc
	// Whoever watches a bare register counts by a clock of its own: a thousandth is more than those differ by.
	slack := int64(0)
	if w.sc.Store == Register {
		slack = w.ttl / 1000
	}
	switch {
	case c.beyond:
	case it.op == fsm.Acquire:
		if was.holder != 0 && !ours && clock+slack < was.expires {
			rule := "R5"
			if was.holder == it.node+1 {
				rule = "R6"
			}
			c.fail(w, rule, "the store grants n%d what another holds for %v", it.node, time.Duration(was.expires-clock))
		}
	case !ours || was.term != it.term:
		c.fail(w, "R5", "the store lets n%d %v term %d, which it does not hold; it shows term %d",
			it.node, it.op, it.term, was.term)
	case it.op == fsm.Renew && w.sc.Store != Register && clock >= was.expires:
		c.fail(w, "R5", "the store lets n%d renew term %d after it has run out", it.node, it.term)
	case it.op == fsm.Release && s.live(w.now):
		c.fail(w, "R5", "the store confirms that term %d is released, and keeps it", it.term)
	}
	if it.op == fsm.Acquire {
		c.winner = winner{term: s.term, overtaken: c.nodes[it.node].overtaken, at: w.now}
	}
}
