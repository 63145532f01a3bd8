package simulate

import (
	"math"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// node is one process on one host: the very fsm.Machine of production, and what an actor would do for it.
type node struct {
	machine fsm.Machine
	inc     uint32 // incarnation, from 1 on
	up      bool
	woken   int64  // true time for which a wake is in the queue
	wakes   uint64 // number of the latest wake; older ones are stale
	calls   uint64 // requests sent since the schedule began
	struck  uint64 // a bit for each request that a fault may hit, by the last six bits of its number

	// The host's clock: at true time `since` it showed `shown`, and it runs `rate` parts per million fast.
	since, shown, rate int64

	paused int64 // stands still until then
	slow   int64 // each thing happens up to this much later
	cut    [2]int
	delay  int64
	ignore int64 // work goes on for this long after its context has ended
	soon   int64 // work returns this long after it began
	fails  int64

	work   work
	jumped int64 // by how much the wall clock was set forward: part of what the clock shows

	clients  [3]client // calls under way to a store of the kind Register
	clientID uint64
	sight    register.Sight
	tenure   uint64 // number of the work
}

// work is the leader's work on one node.
type work struct {
	running   bool
	told      bool // its context has ended
	term      uint64
	began     int64
	tainted   bool // outside of the promise: it was paused beyond its deadline, or ignored its context
	returning fsm.Outcome
}

// world is one schedule being played.
type world struct {
	sc    Scenario
	ttl   int64
	now   int64
	q     queue
	nodes [MaxNodes]node
	store store
	trace *Trace // nil: not kept
	check checker
	seq   uint64
	// The digest of the trace: every item that happened and every step that was made goes in.
	digest uint64
	events int
	steps  int // of machines
	still  int // steps since time last moved
	quiet  bool
	papers []paper // requests to a store of the kind Register, and its answers
	// The work is the user's, in a bubble, which logs what it writes.
	ownWork bool
}

// start makes w play sc from the beginning. w keeps its memory.
func (w *world) start(sc Scenario) {
	items, waiting, papers := w.q.items[:0], w.store.waiting[:0], w.papers[:0]
	trace, seen := w.trace, w.check.seen
	*w = world{sc: sc, ttl: int64(sc.Timing.TTL), trace: trace, digest: 0x9e3779b97f4a7c15}
	w.q.items, w.store.waiting, w.papers, w.check.seen = items, waiting, papers, seen
	rho := ppm(max(sc.Timing.Drift, 0)) / 2 // each clock differs from the true one by at most half
	w.store.rate = upTo(draw(sc.Seed, 99, 0, forBoot), 2*rho+1) - rho
	w.check.start(w)
	for i := range sc.Nodes {
		n := &w.nodes[i]
		n.rate = upTo(draw(sc.Seed, uint64(i), 1, forBoot), 2*rho+1) - rho
		w.push(item{at: upTo(draw(sc.Seed, uint64(i), 2, forBoot), w.ttl/4), do: boot, node: uint8(i)})
	}
	for i, f := range sc.Faults {
		if shapes[f.Kind].call && f.Target >= 0 {
			w.nodes[f.Target].struck |= 1 << (f.Call % 64)
		}
		if shapes[f.Kind].call || f.At >= sc.Heal {
			continue
		}
		w.push(item{at: int64(f.At), do: begin, call: uint64(i)})
		if shapes[f.Kind].span {
			w.push(item{at: int64(min(f.At+f.For, sc.Heal)), do: finish, call: uint64(i)})
		}
	}
	w.push(item{at: int64(sc.Heal), do: heal})
}

// push puts it into the queue. Items of one instant happen in random order.
func (w *world) push(it item) {
	w.seq++
	it.tie = draw(w.sc.Seed, w.seq, uint64(it.at), forTie)
	w.q.push(it)
}

// run plays the schedule to its end or to the first violation.
func (w *world) run() {
	for len(w.q.items) > 0 && w.check.violation.Rule == "" {
		it := w.q.pop()
		if it.at > int64(w.sc.End) {
			break
		}
		if it.at > w.now {
			w.now, w.still = it.at, 0
		}
		w.events++
		w.fold(uint64(it.at) ^ uint64(it.do)<<56 ^ uint64(it.node)<<48 ^ it.term<<20 ^ it.call)
		w.happen(it)
	}
	if w.check.violation.Beyond {
		w.aftermath()
	}
	w.now = max(w.now, min(int64(w.sc.End), math.MaxInt64))
	w.check.end(w)
}

// aftermath plays on after what is outside of the promise has done its damage, without a trace and with all work
// writing all the time, to see whether the fence holds.
func (w *world) aftermath() {
	c, trace, digest, events, steps := &w.check, w.trace, w.digest, w.events, w.steps
	found := c.violation
	w.trace = nil
	for len(w.q.items) > 0 && w.q.items[0].at <= int64(w.sc.End) && c.violation.Rule != "Zeno" {
		c.violation = Violation{}
		for i := range w.sc.Nodes {
			if n := &w.nodes[i]; n.up && n.work.running && n.paused <= w.now {
				c.write(w, uint8(i))
			}
		}
		it := w.q.pop()
		if it.at > w.now {
			w.now, w.still = it.at, 0
		}
		w.happen(it)
	}
	found.Unfenced = c.unfenced
	c.violation = found
	w.trace, w.digest, w.events, w.steps = trace, digest, events, steps
	if trace != nil && len(trace.Entries) > 0 {
		trace.Entries[len(trace.Entries)-1].Text = found.String()
	}
}

func (w *world) fold(x uint64) {
	w.digest = (w.digest ^ x) * 0xd6e8feb86659fd93
	w.digest ^= w.digest >> 29
}

func (w *world) happen(it item) {
	switch it.do {
	case begin, finish:
		w.fault(w.sc.Faults[it.call], it.call, it.do == begin)
		return
	case heal:
		w.heal()
		return
	case reach:
		w.atStore(it)
		return
	case carry:
		w.resumeStore()
		return
	}
	n := &w.nodes[it.node]
	if it.do == boot {
		w.boot(it.node)
		return
	}
	if !n.up || it.inc != n.inc || it.do == wake && it.call != n.wakes || it.do == returns && it.call != n.tenure {
		return // meant for a process that is no more, or superseded
	}
	if n.paused > w.now { // it waits until the process goes on
		it.at, it.late = n.paused, true
		w.push(it)
		return
	}
	if n.slow > 0 && !it.late {
		it.late = true
		if it.at += upTo(draw(w.sc.Seed, w.seq, uint64(it.at), forSlow), n.slow); it.at > w.now {
			w.push(it)
			return
		}
	}
	switch it.do {
	case wake:
		n.woken = math.MaxInt64
		w.step(it.node, fsm.Input{Kind: fsm.Tick})
	case arrive:
		if w.sc.Store == Register {
			w.read(it)
			return
		}
		learned := w.logged()
		w.log(Entry{
			Node: int8(it.node), Kind: Answered, Call: uint64(it.number), Op: it.op, Answer: it.kind, Term: lease.Term(it.term),
		})
		w.step(it.node, fsm.Input{
			Kind: it.kind, Op: it.op, Call: it.call, Term: lease.Term(it.term),
			Who: w.who(it), Remaining: time.Duration(it.left),
		})
		w.believed(learned)
	case notice:
		w.step(it.node, fsm.Input{
			Kind: fsm.Seen, Term: lease.Term(it.term), Who: w.who(it), Remaining: time.Duration(it.left),
		})
	case returns:
		w.returned(it.node)
	}
}

func (w *world) who(it item) fsm.Who {
	switch {
	case it.who == 0:
		return fsm.Nobody
	case it.who == it.node+1 && it.whoI == it.inc:
		return fsm.Us
	}
	return fsm.Other
}

// local is what the clock of n shows.
func (w *world) local(n *node) fsm.Instant {
	passed := w.now - n.since
	return fsm.Instant(n.shown + passed + passed*n.rate/1e6)
}

// when is the first true time at which the clock of n shows at, or later.
func (w *world) when(n *node, at fsm.Instant) int64 {
	if at == fsm.Never {
		return math.MaxInt64
	}
	fast := 1e6 + n.rate
	return max(w.now, n.since+((int64(at)-n.shown)*1e6+fast-1)/fast)
}

// setClock makes the clock of n run at rate from now on, after a jump.
func (w *world) setClock(n *node, rate, jump int64) {
	n.shown, n.since, n.rate = int64(w.local(n))+jump, w.now, rate
	n.jumped += jump
	n.woken = math.MaxInt64
}

// boot starts the process of node i.
func (w *world) boot(i uint8) {
	n := &w.nodes[i]
	if n.up {
		return
	}
	n.up = true
	n.inc++
	n.since, n.shown, n.jumped, n.woken, n.paused = w.now, 0, 0, math.MaxInt64, 0
	n.clients, n.sight = [3]client{}, register.Sight{}
	n.machine = fsm.New(&w.check.timing, draw(w.sc.Seed, uint64(i), uint64(n.inc), forMachine))
	w.check.booted(i, n.calls)
	w.log(Entry{Node: int8(i), Kind: Started})
	w.step(i, fsm.Input{Kind: fsm.Tick})
}

// step gives in to the machine of node i and does what it asks for, as actor does.
func (w *world) step(i uint8, in fsm.Input) {
	n := &w.nodes[i]
	in.Now = w.local(n)
	for {
		w.steps++
		if w.still++; w.still > 10_000 {
			w.check.fail(w, "Zeno", "n%d made 10 000 steps at one instant", i)
			return
		}
		was := n.machine
		next, call := was.Step(in)
		n.machine = next
		w.fold(uint64(next.State())<<8 | uint64(in.Kind) | uint64(next.Until())<<16)
		w.check.stepped(w, i, &was, in, call)
		if was.State() != next.State() {
			w.moved(i, was.State())
		}
		if call.Op != fsm.NoCall {
			w.send(i, call)
		}
		if next.Wake() > in.Now {
			break
		}
		in = fsm.Input{Kind: fsm.Tick, Now: in.Now}
	}
	if w.sc.Store == Register {
		n.drop()
	}
	if n.machine.Done() {
		w.exit(i)
		return
	}
	if at := w.when(n, n.machine.Wake()); at != n.woken && at != math.MaxInt64 {
		n.woken = at
		n.wakes++
		w.push(item{at: at, do: wake, node: i, inc: n.inc, call: n.wakes})
	}
}

// moved does what the entry and exit actions of actor do.
func (w *world) moved(i uint8, from fsm.State) {
	n := &w.nodes[i]
	m := &n.machine
	w.log(Entry{Node: int8(i), Kind: Moved, From: from, To: m.State(), Reason: m.Reason(), Term: m.Term()})
	switch {
	case m.State() == fsm.Leader:
		n.tenure++
		n.work = work{running: true, term: uint64(m.Term()), began: w.now}
		w.check.began(w, i)
		after := int64(-1)
		switch {
		case n.fails > 0:
			after, n.work.returning = n.fails, fsm.Errored
		case n.soon > 0:
			after = n.soon
		}
		if after >= 0 {
			w.push(item{at: w.now + after, do: returns, node: i, inc: n.inc, call: n.tenure})
		}
	case from == fsm.Leader && n.work.running:
		n.work.told = true
		// Cooperative work returns within the grace; here within three quarters, for what a slow process adds.
		takes := upTo(draw(w.sc.Seed, uint64(i), n.tenure, forDrain), max(int64(w.sc.Timing.Grace)*3/4, 1))
		if n.ignore > 0 {
			w.check.strikes(w, Ignore, i)
			takes = n.ignore
			n.work.tainted = n.work.tainted || takes > int64(w.sc.Timing.Grace)*3/4
		}
		w.push(item{at: w.now + takes, do: returns, node: i, inc: n.inc, call: n.tenure})
	}
}

func (w *world) returned(i uint8) {
	n := &w.nodes[i]
	if !n.work.running {
		return
	}
	n.work.running = false
	switch {
	case n.work.told:
	case n.work.returning == fsm.Errored:
		w.check.strikes(w, Fails, i)
	default:
		w.check.strikes(w, ReturnSoon, i)
	}
	w.log(Entry{Node: int8(i), Kind: WorkEnded, Term: lease.Term(n.work.term)})
	w.step(i, fsm.Input{Kind: fsm.Drained, Outcome: n.work.returning})
}

// exit ends the process of node i after a graceful stop.
func (w *world) exit(i uint8) {
	n := &w.nodes[i]
	n.up = false
	w.log(Entry{Node: int8(i), Kind: Ended})
}

// crash ends the process of node i at once, and its work with it.
func (w *world) crash(i uint8) {
	n := &w.nodes[i]
	if !n.up {
		return
	}
	n.up = false
	if n.work.running {
		n.work.running = false
	}
	w.log(Entry{Node: int8(i), Kind: Crashed})
}
