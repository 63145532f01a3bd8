package simulate

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// A store of the kind Register only compares and swaps. What a Manager of package lease/register does between a node
// and such a store is done here by the same pure values, register.Call and register.Sight: look, decide, write, read
// back.

// client is one call of a machine on its way through the register algorithm.
type client struct {
	id     uint64 // 0: none
	call   fsm.Call
	state  register.Call
	number uint64 // of its latest request, in the trace
}

// paper is a request to the register, or its answer.
type paper struct {
	write   bool
	version string // the condition of a write; of an answer, the version that is there
	body    register.Body
	term    lease.Term // of the call
	done    bool       // of an answer to a write: it was carried out
	failed  bool       // of an answer: an error
}

// book is the register.
type book struct {
	version string // "": no record
	body    register.Body
	writes  int
	before  struct { // what was there before the latest write
		version string
		body    register.Body
	}
}

// write replaces the record.
func (b *book) write(body register.Body) {
	b.before.version, b.before.body = b.version, b.body
	b.writes++
	b.version, b.body = strconv.Itoa(b.writes), body
}

// holderOf is who incarnation inc of node i is to the register.
func (w *world) holderOf(i uint8, inc uint32) lease.Holder {
	return lease.Holder{Name: "n" + strconv.Itoa(int(i)), Incarnation: strconv.FormatUint(uint64(inc), 10)}
}

// observer is the instant of n for the register algorithm: its monotonic clock, which knows nothing of jumps of the
// wall clock.
func (w *world) observer(n *node) register.Now {
	return register.Now{Local: time.Duration(int64(w.local(n)) - n.jumped)}
}

// consult begins call for node i.
func (w *world) consult(i uint8, call fsm.Call) {
	n := &w.nodes[i]
	n.clientID++
	c := &n.clients[n.clientID%uint64(len(n.clients))]
	*c = client{id: n.clientID, call: call, state: register.Call{
		Op: register.Op(call.Op), Holder: w.holderOf(i, n.inc), Term: call.Term, TTL: time.Duration(w.ttl),
		Nonce: strconv.Itoa(int(i)) + "-" + strconv.FormatUint(n.clientID, 10), Drift: max(w.sc.Timing.Drift, 0),
	}}
	if call.Op != fsm.Acquire && c.state.Holds(n.sight.Body) { // our own last write: no need to look
		w.decide(i, c)
		return
	}
	w.request(i, c, paper{})
}

// decide asks the algorithm what to do next.
func (w *world) decide(i uint8, c *client) {
	n := &w.nodes[i]
	now := w.observer(n)
	var m register.Move
	c.state, m = c.state.Next(n.sight, now)
	switch m.Step {
	case register.Write:
		w.request(i, c, paper{write: true, version: m.Version, body: m.Body})
	case register.Done:
		w.settle(i, c, fsm.Input{Kind: fsm.Granted, Term: m.Body.Term})
	case register.Refused:
		r := n.sight.Record("", now, c.state.Drift)
		who := fsm.Other
		if r.Vacant() {
			who = fsm.Nobody
		}
		w.settle(i, c, fsm.Input{Kind: fsm.Refused, Term: r.Term, Who: who, Remaining: r.Remaining})
	default:
		w.settle(i, c, fsm.Input{Kind: fsm.Unknown})
	}
}

// settle gives the machine its answer.
func (w *world) settle(i uint8, c *client, in fsm.Input) {
	in.Op, in.Call = c.call.Op, c.call.Number
	c.id = 0
	learned := w.logged()
	w.log(Entry{Node: int8(i), Kind: Answered, Call: c.number, Op: in.Op, Answer: in.Kind, Term: in.Term})
	w.step(i, in)
	w.believed(learned)
}

// request puts p on its way to the register.
func (w *world) request(i uint8, c *client, p paper) {
	p.term = c.call.Term
	w.papers = append(w.papers, p)
	n := &w.nodes[i]
	n.calls++
	number := n.calls
	c.number = number
	w.log(Entry{Node: int8(i), Kind: Asked, Call: number, Op: c.call.Op, Term: c.call.Term})
	it := item{
		do: reach, node: i, inc: n.inc, op: c.call.Op, call: c.id, term: uint64(len(w.papers) - 1), left: int64(number),
		number: uint32(number),
	}
	w.dispatch(it)
}

// atRegister carries a request out and sends the answer.
func (w *world) atRegister(it item) {
	b, p := &w.store.book, w.papers[it.term]
	answer := paper{write: p.write, version: b.version, body: b.body}
	_, before := w.requestFault(it.node, uint64(it.left), FailBefore)
	if !p.write {
		w.check.reached(w, it, fsm.Unknown)
	}
	switch {
	case before || w.store.refusing > 0:
		answer.failed = true
	case !p.write && w.store.stale > 0:
		answer.version, answer.body = b.before.version, b.before.body
	case p.write && p.version != b.version && it.op == fsm.Acquire:
		w.check.seen.duty(RaceLost)
	case p.write && p.version == b.version:
		b.write(p.body)
		answer.version, answer.body, answer.done = b.version, b.body, true
		w.mirror(it, p.term)
		if _, conflict := w.requestFault(it.node, uint64(it.left), Conflict); conflict {
			answer.done = false
		}
	}
	if _, after := w.requestFault(it.node, uint64(it.left), FailAfter); after {
		answer = paper{write: p.write, failed: true}
	}
	w.papers = append(w.papers, answer)
	it.do, it.term, it.late = arrive, uint64(len(w.papers)-1), false
	w.reply(it, uint64(it.left))
}

// mirror keeps the store's record as the observer sees it: who holds the lease, and when at the earliest another may.
func (w *world) mirror(it item, term lease.Term) {
	s, was := &w.store, w.store.record
	body := s.book.body
	r := record{term: uint64(body.Term), expires: s.clock(w.now)}
	if !body.Holder.IsZero() {
		r.holder, r.inc, r.expires = it.node+1, it.inc, s.clock(w.now)+int64(body.TTL)
	}
	s.write(r)
	w.log(Entry{
		Node: int8(it.node), Kind: CarriedOut, Call: uint64(it.left), Op: it.op, Answer: fsm.Granted, Term: body.Term,
		Holder: int8(r.holder) - 1, Expires: r.expires - s.clock(w.now) + w.now,
	})
	it.term = uint64(term)
	w.check.carried(w, it, was, fsm.Granted)
	if was.holder != r.holder || was.term != r.term {
		w.notify()
	}
}

// read takes in an answer of the register.
func (w *world) read(it item) {
	n, p := &w.nodes[it.node], w.papers[it.term]
	k := slices.IndexFunc(n.clients[:], func(c client) bool { return c.id == it.call })
	if k < 0 || it.call == 0 {
		return // the call was given up
	}
	c := &n.clients[k]
	switch {
	case p.failed && !p.write:
		w.settle(it.node, c, fsm.Input{Kind: fsm.Unknown})
	case p.failed || p.write && !p.done: // unknown, or somebody was faster: read back
		w.request(it.node, c, paper{})
	default:
		n.sight = n.sight.See(p.version, p.body, w.observer(n))
		if p.done {
			w.settle(it.node, c, fsm.Input{Kind: fsm.Granted, Term: p.body.Term})
			return
		}
		w.decide(it.node, c)
	}
}

// drop forgets the calls whose answer the machine of n no longer awaits, as a Manager does whose context has ended.
func (n *node) drop() {
	_, awaited := n.machine.Awaits()
	for k := range n.clients {
		if c := &n.clients[k]; c.call.Number != 0 && c.call.Number != awaited {
			c.id = 0
		}
	}
}

// rewrite is a person who rewrites the record by hand: to one that nobody holds, or that somebody holds who is not
// among the nodes.
func (w *world) rewrite(evict bool) {
	b, s := &w.store.book, &w.store
	if b.body.Holder.IsZero() {
		return
	}
	w.check.broken(w)
	next, r := register.Body{Term: b.body.Term}, record{term: s.term, expires: s.clock(w.now)}
	if evict {
		next.Term, next.TTL = next.Term+1, time.Duration(w.ttl)
		next.Holder = lease.Holder{Name: "somebody", Incarnation: "else"}
		r = record{holder: math.MaxUint8, inc: math.MaxUint32, term: s.term + 1, expires: s.clock(w.now) + w.ttl}
	}
	b.write(next)
	s.write(r)
	w.notify()
}
