package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// requestFault finds the fault of a kind that hits request number call of node i.
func (w *world) requestFault(i uint8, call uint64, kinds ...FaultKind) (Fault, bool) {
	if w.nodes[i].struck>>(call%64)&1 == 0 {
		return Fault{}, false
	}
	for _, f := range w.sc.Faults {
		if f.Call != int(call) || int(f.Target) != int(i) || !shapes[f.Kind].call || w.quiet {
			continue
		}
		for _, k := range kinds {
			if f.Kind == k {
				if call > w.check.nodes[i].first {
					w.check.strikes(w, f.Kind, i)
				}
				return f, true
			}
		}
	}
	return Fault{}, false
}

// passage is how long a message is under way: mostly a few milliseconds, at times much longer.
func (w *world) passage(i uint8, number uint64, p purpose) int64 {
	x := draw(w.sc.Seed, uint64(i), number, p)
	d := int64(time.Millisecond) + upTo(x, int64(9*time.Millisecond))
	if more := w.nodes[i].delay; more > 0 && !w.quiet {
		d += upTo(draw(w.sc.Seed, uint64(i), number, p^forDelay<<8), more)
	}
	return d
}

// send has the store asked for call.
func (w *world) send(i uint8, call fsm.Call) {
	n := &w.nodes[i]
	if w.sc.Store == Register {
		w.consult(i, call)
		return
	}
	n.calls++
	number := n.calls
	w.log(Entry{Node: int8(i), Kind: Asked, Call: number, Op: call.Op, Term: call.Term})
	it := item{
		do: reach, node: i, inc: n.inc, op: call.Op, call: call.Number, term: uint64(call.Term), left: int64(number),
		number: uint32(number),
	}
	w.dispatch(it)
}

// dispatch puts a request on its way to the store.
func (w *world) dispatch(it item) {
	i, number := it.node, uint64(it.left)
	if _, lost := w.requestFault(i, number, LoseCall); lost || w.nodes[i].cut[0] > 0 {
		w.log(Entry{Node: int8(i), Kind: LostThere, Call: number, Op: it.op})
		return
	}
	it.at = w.now + w.passage(i, number, forThere)
	if f, late := w.requestFault(i, number, LateCall); late {
		it.at += int64(f.By)
	}
	w.push(it)
	if f, twice := w.requestFault(i, number, Twice); twice {
		it.at += int64(f.By)
		w.push(it)
	}
}

// atStore is a request that has reached the store.
func (w *world) atStore(it item) {
	s := &w.store
	switch {
	case s.down > 0:
		w.log(Entry{Node: int8(it.node), Kind: LostThere, Call: uint64(it.left), Op: it.op})
		return
	case s.stalled > 0:
		s.waiting = append(s.waiting, it)
		return
	}
	if s.sluggish > 0 && !it.late {
		it.late = true
		it.at = w.now + upTo(draw(w.sc.Seed, uint64(it.node), uint64(it.left), forStore), s.sluggish)
		w.push(it)
		return
	}
	w.carryOut(it)
}

// carryOut has the store do the request and sends the answer.
func (w *world) carryOut(it item) {
	s, number := &w.store, uint64(it.left)
	if w.sc.Store == Register {
		w.atRegister(it)
		return
	}
	answer := it
	answer.do, answer.left, answer.who, answer.late = arrive, -1, 0, false
	_, before := w.requestFault(it.node, number, FailBefore)
	if before || s.refusing > 0 {
		answer.kind, answer.term = fsm.Unknown, 0
	} else {
		was := s.record
		answer.kind, answer.term = s.carryOut(w.now, it, time.Duration(w.ttl))
		w.log(Entry{
			Node: int8(it.node), Kind: CarriedOut, Call: number, Op: it.op, Answer: answer.kind, Term: lease.Term(s.term),
			Holder: int8(s.holder) - 1, Expires: s.expires - s.clock(w.now) + w.now,
		})
		w.check.carried(w, it, was, answer.kind)
		if answer.kind == fsm.Refused && s.live(w.now) {
			answer.who, answer.whoI, answer.left = s.holder, s.inc, s.expires-s.clock(w.now)
		}
		if was.holder != s.holder || was.term != s.term {
			w.notify()
		}
		if _, after := w.requestFault(it.node, number, FailAfter); after {
			answer.kind = fsm.Unknown
		}
	}
	w.reply(answer, number)
}

// reply puts the answer to request number number on its way.
func (w *world) reply(answer item, number uint64) {
	it := answer
	if _, lost := w.requestFault(it.node, number, LoseAnswer); lost || w.nodes[it.node].cut[1] > 0 {
		w.log(Entry{Node: int8(it.node), Kind: LostBack, Call: number, Op: it.op})
		return
	}
	answer.at = w.now + w.passage(it.node, number, forBack)
	if f, late := w.requestFault(it.node, number, LateAnswer, Hang); late {
		answer.at += int64(f.By)
	}
	w.push(answer)
	if f, twice := w.requestFault(it.node, number, TwiceBack); twice {
		answer.at += int64(f.By)
		w.push(answer)
	}
}

// notify has the watches show the record to everybody.
func (w *world) notify() {
	s := &w.store
	if !w.sc.Watch || s.deaf > 0 {
		return
	}
	shown := s.record
	if s.echo > 0 && s.writes > 1 { // old news, once more
		shown = s.past[uint64(s.writes-1)%uint64(len(s.past))]
	}
	for i := range w.sc.Nodes {
		n := &w.nodes[i]
		if !n.up || n.cut[1] > 0 {
			continue
		}
		it := item{
			at: w.now + w.passage(uint8(i), uint64(s.writes), forNews), do: notice, node: uint8(i), inc: n.inc,
			term: shown.term, who: shown.holder, whoI: shown.inc, left: max(0, shown.expires-s.clock(w.now)),
		}
		w.push(it)
	}
}

// resumeStore carries out what had to wait, in the order of arrival.
func (w *world) resumeStore() {
	s := &w.store
	if s.stalled > 0 {
		return
	}
	for k := 0; k < len(s.waiting); k++ {
		w.carryOut(s.waiting[k])
	}
	s.waiting = s.waiting[:0]
}
