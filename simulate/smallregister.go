package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// A small world over a bare register. What a Manager of package lease/register does between a machine and its store is
// decided by the very values of that package, register.Call and register.Sight; here are only the messages, and the
// register, which compares and swaps. A store that fails is asked again at once, as the Manager does; one that stays
// silent is given up with the call.

// errand is the call of a node that is on its way, and the one message that is under way for it. The zero errand is
// none.
type errand struct {
	op     fsm.Op
	phase  phase
	writes uint8
	term   smallTerm // of the lease to renew or release
	sent   smallTerm // in the latest write
	on     uint8     // the version that is the condition of that
	found  smallBody // in what was read or written
}

// phase is what is under way for a client.
type phase uint8

const (
	toRead     phase = iota // a request to read
	hasRead                 // the answer to that
	toWrite                 // a request to write
	hasWritten              // the answer: done
	hasNot                  // the answer: not done, the version is another
)

// smallBody is what the register holds, as one node sees it. The zero smallBody is no record.
type smallBody struct {
	version uint8
	term    smallTerm
	holder  relation
	mine    bool // written by the call of the node that is on its way
}

// relation is who holds the lease, as one node sees it.
type relation uint8

const (
	noOne relation = iota
	us
	before  // an earlier process of the same name
	another // of another name
)

// smallSight is what a node knows of the register, and since when.
type smallSight struct {
	smallBody
	since int16
}

// stray is a write that is still under way although the client does not wait for it, or is no more. The zero stray is
// none. Its condition is the version that is there: once there is another, it can never be carried out.
type stray struct {
	op     fsm.Op
	term   smallTerm
	mine   bool
	former bool // sent by a process that has died
}

// former is the holder that was a process of node i, and has died.
func former(i int8) int8 { return -2 - i }

var (
	relatives = [...]lease.Holder{
		us: {Name: "n", Incarnation: "2"}, before: {Name: "n", Incarnation: "1"}, another: {Name: "m", Incarnation: "1"},
	}
	// versions are the names of those that a small world can tell apart, and more than one without abstraction has.
	versions = [...]string{
		"", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
	}
)

// body is b for the register algorithm. How many writes a term has had makes no difference: a call knows its own by
// its nonce.
func (x *scout) body(b smallBody) register.Body {
	body := register.Body{Holder: relatives[b.holder], Term: lease.Term(b.term)}
	if b.holder != noOne {
		body.TTL = x.t.TTL
	}
	if b.mine {
		body.Nonce = "mine"
	}
	return body
}

// sight is that of n for the register algorithm. One of no record, or forgotten because nothing may come of it, is from
// long ago.
func (x *scout) sight(n *smallNode) register.Sight {
	if n.sight.version == 0 {
		return register.Sight{Since: time.Duration(x.w.now) - 2*x.t.TTL}
	}
	return register.Sight{
		Version: versions[n.sight.version], Body: x.body(n.sight.smallBody), Since: time.Duration(n.sight.since),
	}
}

// call is the call of n for the register algorithm.
func (x *scout) call(n *smallNode) register.Call {
	c := &n.client
	call := register.Call{Op: register.Op(c.op), Holder: relatives[us], TTL: x.t.TTL, Nonce: "mine", Writes: int(c.writes)}
	if c.op != fsm.Acquire {
		call.Term = lease.Term(c.term)
	}
	if c.writes > 0 {
		sent := smallBody{term: c.sent, holder: us, mine: true}
		if c.op == fsm.Release {
			sent.holder = noOne
		}
		call.Sent, call.On = x.body(sent), versions[c.on]
	}
	return call
}

// present is now for the register algorithm.
func (x *scout) present() register.Now { return register.Now{Local: time.Duration(x.w.now)} }

// consult begins a call of node i.
func (x *scout) consult(i int8, call fsm.Call) {
	n := &x.w.nodes[i]
	x.giveUp(i)
	n.client = errand{op: call.Op, term: smallTerm(call.Term)}
	if call.Op != fsm.Acquire && x.call(n).Holds(x.sight(n).Body) { // our own last write: no need to look
		x.decide(i)
	}
}

// decide asks the algorithm what the client of node i does next.
func (x *scout) decide(i int8) {
	n := &x.w.nodes[i]
	c, sight := &n.client, x.sight(n)
	call, move := x.call(n).Next(sight, x.present())
	switch move.Step {
	case register.Write:
		if move.Version == sight.Version {
			c.on = n.sight.version
		}
		c.phase, c.writes, c.sent = toWrite, uint8(call.Writes), smallTerm(move.Body.Term)
	case register.Done:
		x.settle(i, fsm.Input{Kind: fsm.Granted, Term: move.Body.Term})
	case register.Refused:
		r := sight.Record("", x.present(), 0)
		who := fsm.Other
		if r.Vacant() {
			who = fsm.Nobody
		}
		x.settle(i, fsm.Input{Kind: fsm.Refused, Term: r.Term, Who: who, Remaining: r.Remaining})
	default:
		x.settle(i, fsm.Input{Kind: fsm.Unknown})
	}
}

// settle gives the machine of node i its answer.
func (x *scout) settle(i int8, in fsm.Input) {
	n := &x.w.nodes[i]
	in.Op, in.Call = n.m.Awaits()
	x.forgetCall(i)
	x.step(i, in)
}

// giveUp ends the call of node i, if there is one, as a Manager does whose context has ended. A write that is under way
// may arrive yet.
func (x *scout) giveUp(i int8) {
	n := &x.w.nodes[i]
	if n.client.op != fsm.NoCall && n.client.phase == toWrite {
		x.astray(n)
	}
	x.forgetCall(i)
}

// astray leaves the write of n under way without its client. If there are too many, the oldest is lost.
func (x *scout) astray(n *smallNode) {
	c := &n.client
	if c.on != x.w.store.version { // it will be refused
		return
	}
	if full := n.strays[x.s.Letters-1].op != fsm.NoCall; full || n.strays[0].op == fsm.NoCall {
		n.strays[0], n.strays[1] = n.strays[1], stray{}
	}
	free := &n.strays[0]
	if free.op != fsm.NoCall {
		free = &n.strays[1]
	}
	*free = stray{op: c.op, term: c.sent, mine: true}
}

// forgetCall ends the call of node i: nobody recognises its writes any more.
func (x *scout) forgetCall(i int8) {
	n := &x.w.nodes[i]
	n.client, n.sight.mine, n.strays[0].mine, n.strays[1].mine = errand{}, false, false, false
	if x.w.store.by == i+1 {
		x.w.store.by = 0
	}
}

// crashOver ends the process of node i. Its writes may still arrive.
func (x *scout) crashOver(i int8) {
	w, n := &x.w, &x.w.nodes[i]
	x.giveUp(i)
	if w.store.holder == i+1 {
		w.store.holder = former(i)
	}
	for slot := range n.strays {
		n.strays[slot].former = n.strays[slot].op != fsm.NoCall
	}
	*n = smallNode{strays: n.strays}
}

// shown is what the register holds, as node i sees it.
func (x *scout) shown(i int8) smallBody {
	s := &x.w.store
	b := smallBody{version: s.version, term: s.term, holder: another, mine: s.by == i+1}
	switch s.holder {
	case 0:
		b.holder = noOne
	case i + 1:
		b.holder = us
	case former(i):
		b.holder = before
	}
	return b
}

// store has the register carry out a write of node i, and reports whether it did.
func (x *scout) store(i int8, o stray, on uint8) bool {
	w, s := &x.w, &x.w.store
	if on != s.version {
		return false
	}
	own := i + 1
	if o.former {
		own = former(i)
	}
	switch ours, live := s.holder == own, s.left > 0 && s.holder != 0; {
	case o.op == fsm.Acquire:
		x.grants(i, o, ours, live)
		s.holder, s.left, s.top = own, int8(x.t.TTL), max(s.top, o.term)
	case !ours || o.term != s.term && o.op == fsm.Renew:
		x.fail("R5", "n%d does %v with a lease of term %d that is not its own", i, o.op, s.term)
	case o.op == fsm.Renew:
		s.left = int8(x.t.TTL)
	default:
		if !o.former && w.nodes[i].running {
			x.fail("R8", "the lease of n%d is released while its work runs", i)
		}
		s.holder, s.left = 0, 0
	}
	s.term, s.by = o.term, 0
	if s.version++; o.mine {
		s.by = i + 1
	}
	for j := range x.s.Nodes { // none of them can be carried out any more
		w.nodes[j].strays = [2]stray{}
	}
	return true
}

// grants checks that the lease may be granted to node i.
func (x *scout) grants(i int8, o stray, ours, live bool) {
	w := &x.w
	switch s := &w.store; {
	case o.term <= s.top:
		x.fail("R4", "n%d acquires term %d after term %d", i, o.term, s.top)
	case live && !ours && s.holder == former(i):
		x.fail("R6", "n%d acquires the lease of the process before it, which lasts for %d more ticks", i, s.left)
	case live && !ours:
		x.fail("R5", "n%d acquires a lease that is another's for %d more ticks", i, s.left)
	}
	for j := range int8(x.s.Nodes) {
		if (j != i || o.former) && w.acts(j) {
			x.fail("R1", "n%d acquires the lease while n%d works under it", i, j)
		}
	}
}

// learn gives the client of node i the answer that is under way.
func (x *scout) learn(i int8) {
	n := &x.w.nodes[i]
	c := &n.client
	if c.phase == hasNot { // read back: it may have been our own
		c.phase = toRead
		return
	}
	found := c.found
	old := n.sight
	next := x.sight(n).See(versions[found.version], x.body(found), x.present())
	if n.sight = (smallSight{smallBody: found, since: int16(next.Since)}); next.Version == versions[old.version] {
		n.sight.smallBody = old.smallBody
	}
	if c.phase == hasWritten {
		x.settle(i, fsm.Input{Kind: fsm.Granted, Term: lease.Term(found.term)})
		return
	}
	x.decide(i)
}

// expandClient lets the message of node i arrive, fail or be lost, and reports whether it has to arrive before time
// passes.
func (x *scout) expandClient(i int8) (urgent bool) {
	w, n := &x.w, &x.w.nodes[i]
	x.expandStrays(i)
	c := &n.client
	if c.op == fsm.NoCall {
		return false
	}
	switch c.phase {
	case toRead:
		c.phase, c.found = hasRead, x.shown(i)
		x.found(event{do: reads, node: i}, i)
	case toWrite:
		if c.phase = hasNot; x.store(i, stray{op: c.op, term: c.sent, mine: true}, c.on) {
			c.phase, c.found = hasWritten, x.shown(i)
		}
		x.found(event{do: carries, node: i}, i)
		if !w.healed && !n.paused {
			x.astray(n)
			c.phase = toRead
			x.found(event{do: doubts, node: i}, i)
		}
	default:
		if e := (event{do: learns, node: i}); !n.paused {
			if !x.again(e) {
				x.learn(i)
			}
			x.found(e, i)
		}
	}
	if w.healed {
		return true
	}
	e := event{do: loses, node: i}
	if !x.again(e) {
		x.forgetCall(i)
	}
	x.found(e, i)
	return false
}

// expandStrays lets writes arrive that nobody waits for, or be lost.
func (x *scout) expandStrays(i int8) {
	w, n := &x.w, &x.w.nodes[i]
	for slot := range int8(2) {
		s := n.strays[slot]
		if s.op == fsm.NoCall {
			continue
		}
		x.store(i, s, w.store.version)
		x.found(event{do: strayCarries, node: i, slot: slot}, i)
		n.strays[slot] = stray{}
		x.found(event{do: strayLoses, node: i, slot: slot}, i)
	}
}
