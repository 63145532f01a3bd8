package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Violation is the first thing in a schedule that must not happen. The zero Violation is none.
type Violation struct {
	Rule string        // "R1" to "R13", "fence", "live", "loss", "load", "stop", "Zeno", "table"; in a bubble more
	At   time.Duration // true time
	Text string
	// Beyond: the schedule has faults that are outside of the promise, so this is to be expected.
	Beyond bool
	// Unfenced: what followed harmed even a resource that refuses smaller terms, since two tenures had the same. Only
	// ever so if Beyond, in schedules.
	Unfenced bool
}

// String says what was violated and when; it is empty if nothing was.
func (v Violation) String() string {
	if v.Rule == "" {
		return ""
	}
	s := fmt.Sprintf("%s at %v: %s", v.Rule, v.At.Round(time.Microsecond), v.Text)
	switch {
	case v.Unfenced:
		s += " (outside of the promise; the fence did not hold)"
	case v.Beyond:
		s += " (outside of the promise; the fence held)"
	}
	return s
}

// checker watches a world and knows nothing that an omniscient observer could not see.
type checker struct {
	timing    fsm.Timing // of every node; machines point to it
	violation Violation
	beyond    bool
	hit       [64]int8 // which node a fault with the target TheLeader has hit, by its number
	left      [MaxNodes]fsm.Reason
	greatest  uint64 // term whose work has begun
	accepted  uint64 // greatest term that the fenced resource has seen
	author    uint64 // the tenure that wrote under it
	unfenced  bool   // another tenure has written under the same
	void      uint64 // terms up to this were taken away by a person or a faulty store: outside of the promise
	lastLed   int64  // when a leader was last seen to stop leading
	alone     bool   // no fault, or a single lost, failed or doubled request
	prompt    bool   // nothing is under way any more when the cluster is healed, and nobody stands back
	failover  int64  // from then until somebody leads; -1: not known
	nodes     [MaxNodes]witness
	winner    winner
	stays     lasting // faults of the store that are in force
	seen      Coverage
}

func (c *checker) start(w *world) {
	seen := c.seen
	*c = checker{timing: w.sc.Timing, seen: seen, failover: -1}
	c.alone = len(w.sc.Faults) == 0
	if len(w.sc.Faults) == 1 {
		switch w.sc.Faults[0].Kind {
		case LoseCall, LoseAnswer, FailBefore, FailAfter, TwiceBack:
			c.alone = true
		}
	}
	for _, f := range w.sc.Faults {
		c.beyond = c.beyond || shapes[f.Kind].beyondPact
		if f.Kind == Drift {
			half := ppm(max(w.sc.Timing.Drift, 0)) / 2
			c.beyond = c.beyond || int64(f.By) > half || -int64(f.By) > half
		}
	}
}

func (c *checker) fail(w *world, rule, format string, args ...any) {
	if c.violation.Rule != "" {
		return
	}
	c.violation = Violation{Rule: rule, At: time.Duration(w.now), Text: fmt.Sprintf(format, args...), Beyond: c.beyond}
	w.log(Entry{Node: -1, Kind: Violated, Text: c.violation.String()})
}

// legal[from][reason] is the state that the move leads to, plus 1; 0 if there is no such move.
var legal = func() (t [4][32]fsm.State) {
	for _, m := range fsm.Moves() {
		t[m.From][m.Reason] = m.To + 1
	}
	return t
}()

// stepped checks one step of the machine of node i, from was by in to what it is now, asking for call.
func (c *checker) stepped(w *world, i uint8, was *fsm.Machine, in fsm.Input, call fsm.Call) {
	n := &w.nodes[i]
	m := &n.machine
	from, to := was.State(), m.State()
	if from != to {
		if legal[from][m.Reason()] != to+1 {
			c.fail(w, "table", "n%d moved from %v to %v for %v", i, from, to, m.Reason())
		}
		c.seen.move(from, m.Reason())
		if to == fsm.Releasing {
			c.left[i] = m.Reason()
		}
		if from == fsm.Leader {
			c.lastLed = w.now
		}
	}
	if to == fsm.Leader && from == fsm.Leader && in.Now >= was.Until() {
		c.fail(w, "R2", "n%d leads on at %v of its clock although its time was up at %v",
			i, time.Duration(in.Now), time.Duration(was.Until()))
	}
	if to >= fsm.Leader && m.Until() != was.Until() {
		c.deadline(w, i, in)
	}
	if from == fsm.Leader && to != fsm.Leader && in.Kind == fsm.Unknown && in.Now < was.Until() {
		c.fail(w, "R12", "n%d gave up for one unusable answer with %v left", i, was.Until().Sub(in.Now))
	}
	if from == fsm.Leader && to != fsm.Leader && c.alone && !w.quiet {
		if r := m.Reason(); r == fsm.Expired || r == fsm.Lost {
			c.fail(w, "loss", "n%d lost its lease (%v) within the budget of faults", i, r)
		}
	}
	op, number := was.Awaits()
	if from == fsm.Leader && to == fsm.Leader && in.Kind == fsm.Refused && op == fsm.Renew && number == in.Call {
		c.fail(w, "R3", "n%d leads on although its renewal was refused", i)
	}
	switch call.Op {
	case fsm.Acquire:
		if n.work.running {
			c.fail(w, "R9", "n%d stands while its work of term %d runs", i, n.work.term)
		}
	case fsm.Release:
		if n.work.running && n.work.term == uint64(call.Term) {
			c.fail(w, "R8", "n%d releases term %d while its work runs", i, call.Term)
		}
	}
	if matters(&in, was) {
		c.seen.stepped(from, in.Kind, c.active(i, was))
	}
	if to == fsm.Follower && from != fsm.Follower {
		c.nodes[i].hit = 0
	}
	c.witness(w, i, was, &in, &call)
}

// deadline checks a deadline that has just been set: it must leave the work its grace before the store may give the
// lease to another, in true time.
func (c *checker) deadline(w *world, i uint8, in fsm.Input) {
	n, s := &w.nodes[i], &w.store
	if in.Kind != fsm.Granted {
		c.fail(w, "R1", "n%d moved its deadline on %v", i, in.Kind)
		return
	}
	if c.beyond || s.holder != i+1 || s.inc != n.inc || s.term != uint64(n.machine.Term()) {
		return
	}
	until := w.when(n, n.machine.Until()) + int64(max(c.timing.Grace, 0))
	expires := w.now + (s.expires-s.clock(w.now))*1e6/(1e6+s.rate)
	if until > expires+int64(time.Microsecond) && until > w.now+int64(max(c.timing.Grace, 0)) {
		c.fail(w, "R1", "n%d believes in its lease, with the grace, until %v; the store ends it at %v",
			i, time.Duration(until), time.Duration(expires))
	}
}

// acts reports whether the work of n is in force and within the promise: somebody who sees two of these sees a fault.
func (w *world) acts(n *node) bool {
	return n.up && n.work.running && !n.work.tainted && (n.paused <= w.now || w.local(n) < n.machine.Until())
}

// began checks that the work of node i may begin.
func (c *checker) began(w *world, i uint8) {
	n := &w.nodes[i]
	term := n.work.term
	n.work.tainted = term <= c.void
	for j := range w.sc.Nodes {
		if o := &w.nodes[j]; j != int(i) && w.acts(o) && w.acts(n) {
			c.fail(w, "R1", "n%d begins to work under term %d while n%d works under term %d", i, term, j, o.work.term)
		}
	}
	if term <= c.greatest && !n.work.tainted {
		c.fail(w, "R4", "n%d leads under term %d after term %d", i, term, c.greatest)
	}
	c.greatest = max(c.greatest, term)
	if c.prompt && c.failover < 0 {
		c.failover = w.now - int64(w.sc.Heal)
		if bound := w.sc.afterHealing(); c.failover > bound && !c.beyond {
			c.fail(w, "live", "somebody leads only %v after the cluster was healed; %v is the most",
				time.Duration(c.failover), time.Duration(bound))
		}
	}
	c.write(w, i)
}

// afterHealing is the longest time from healing everything to a leader: see Timing in docs/SAFETY.md.
func (s *Scenario) afterHealing() int64 {
	t, slow := &s.Timing, 1+max(s.Timing.Drift, 0)
	ttl, backOff := float64(t.TTL)*slow, float64(16*t.Retry)*slow
	if s.Store == Register { // is first looked at after the back-off, or after one poll, and the TTL counts from then
		backOff = max(backOff, float64(min(t.Poll, t.TTL))*slow)
		return int64(backOff+ttl*slow) + 2*int64(t.CallTimeout)
	}
	return int64(max(ttl, backOff)) + int64(t.CallTimeout)
}

// healed takes note of how a healed cluster sets out.
func (c *checker) healed(w *world) {
	c.prompt = true
	for _, f := range w.sc.Faults {
		if f.Kind == Evict || f.Kind == Late { // somebody else may have the lease, or for longer
			c.prompt = false
		}
	}
	for i := range w.q.items {
		if it := &w.q.items[i]; (it.do == reach || it.do == arrive) && it.at > w.now+int64(20*time.Millisecond) {
			c.prompt = false // sent before, and slower than anything is from now on
		}
	}
	for i := range w.sc.Nodes {
		n := &w.nodes[i]
		state, left := n.machine.State(), c.left[i]
		rests := state == fsm.Follower && (left == fsm.Finished || left == fsm.HandedOver || left == fsm.Resigned)
		if n.up && (rests || state >= fsm.Leader) { // stands back, or leads already, or winds down
			c.prompt = false
		}
	}
}

// write has the work of node i write to a resource that refuses smaller terms than it has seen.
func (c *checker) write(w *world, i uint8) {
	n := &w.nodes[i]
	kind, author := Wrote, uint64(i)<<48|n.tenure
	switch {
	case n.work.term > c.accepted:
		c.author = author
	case n.work.term == c.accepted && c.author != author:
		c.unfenced = true
	}
	if n.work.term < c.accepted {
		kind = Barred
		if n.work.tainted {
			c.seen.duty(FencedOff)
		}
		if w.acts(n) && n.machine.State() == fsm.Leader && !c.beyond {
			c.fail(w, "fence", "the resource refuses n%d, which leads under term %d", i, n.work.term)
		}
	}
	c.accepted = max(c.accepted, n.work.term)
	if w.trace != nil && !w.ownWork {
		w.log(Entry{Node: int8(i), Kind: kind, Term: lease.Term(n.work.term)})
	}
}

// carried checks what the store has just done with it.
func (c *checker) carried(w *world, it item, was record, answer fsm.Kind) {
	c.reached(w, it, answer)
	if answer != fsm.Granted {
		return
	}
	c.conditional(w, it, was)
	for j := range w.sc.Nodes {
		o := &w.nodes[j]
		switch {
		case it.op == fsm.Acquire && j != int(it.node) && w.acts(o):
			c.fail(w, "R1", "the store grants term %d to n%d while n%d works under term %d",
				w.store.term, it.node, j, o.work.term)
		case it.op == fsm.Release && o.up && o.work.running && o.work.term == it.term:
			c.fail(w, "R8", "term %d is released while n%d works under it", it.term, j)
		}
	}
	if it.op == fsm.Acquire && w.store.term <= was.term {
		c.fail(w, "R4", "the store grants term %d after term %d", w.store.term, was.term)
	}
}

// pausing takes note that node i stands still until then. If its deadline passes meanwhile, or its work had been told
// to stop, what it does afterwards is outside of the promise; only the fence is proof against it.
func (c *checker) pausing(w *world, i uint8, until int64) {
	n := &w.nodes[i]
	if n.up && n.work.running && (n.work.told || w.when(n, n.machine.Until()) <= until) {
		n.work.tainted = true
	}
}

// broken takes note that a person, or a fault of the store, has taken the lease away from whoever has it.
func (c *checker) broken(w *world) {
	c.void = max(c.void, w.store.term)
	for i := range w.sc.Nodes {
		w.nodes[i].work.tainted = true
	}
}

// end checks what can only be told when the schedule is over.
func (c *checker) end(w *world) {
	if c.violation.Rule != "" {
		return
	}
	if w.quiet && !c.beyond {
		c.leaderless(w)
	}
	budget := 40 + 4*uint64(w.sc.End/w.sc.Timing.Retry)
	for i := range w.sc.Nodes {
		if w.nodes[i].calls > budget {
			c.fail(w, "load", "n%d sent %d requests in %v", i, w.nodes[i].calls, w.sc.End)
		}
	}
}

// leaderless fails unless every node has a reason to wait beyond the end of the schedule.
func (c *checker) leaderless(w *world) {
	if w.store.live(w.now) && slices.ContainsFunc(w.sc.Faults, func(f Fault) bool { return f.Kind == Late }) {
		return // not over yet
	}
	if c.lastLed >= int64(w.sc.Heal)+(int64(w.sc.End)-int64(w.sc.Heal))*2/3 { // lost again by something still under way
		return
	}
	for i := range w.sc.Nodes {
		if w.nodes[i].up && w.nodes[i].machine.State() == fsm.Leader {
			return
		}
	}
	for i := range w.sc.Nodes {
		n := &w.nodes[i]
		rests := c.left[i] == fsm.Finished || c.left[i] == fsm.HandedOver || c.left[i] == fsm.Resigned
		if n.up && !(rests && n.machine.State() == fsm.Follower && n.machine.Wake() != fsm.Never) && !n.work.running {
			c.fail(w, "live", "nobody leads %v after the cluster was healed; n%d is %v (%v)",
				w.sc.End-w.sc.Heal, i, n.machine.State(), n.machine.Reason())
			return
		}
	}
}
