package simulate

import (
	"slices"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// settle starts and ends processes as the machines of the simulation say, waits until all is at rest after it has
// happened, and compares the nodes that it may have moved with their machines: every move, call and deadline.
func (w *World) settle(it item) {
	s := &w.world
	if it.do == reach || it.do == carry || it.do == leaves || it.do == lands { // it was nobody's
		w.noteStore(w.trace.Entries[w.seen:])
		w.seen = len(w.trace.Entries)
		return
	}
	for _, e := range w.trace.Entries[w.seen:] {
		if e.Kind == Crashed && w.procs[e.Node] != nil {
			w.procs[e.Node].bury()
		}
	}
	for i := range s.sc.Nodes {
		if s.nodes[i].up && w.procs[i] == nil {
			w.boot(i)
		}
	}
	w.rest()
	for i := range s.sc.Nodes {
		if p := w.procs[i]; p != nil && max(w.awaited[i].out, len(p.calls)) >= maxOut {
			for w.hung(p, w.awaited[i].number) {
			}
		}
	}
	news := w.trace.Entries[w.seen:]
	w.seen = len(w.trace.Entries)
	w.noteStore(news)
	all := it.do == begin || it.do == finish || it.do == heal || it.do == doTask || it.do == boot
	for i := range s.sc.Nodes {
		p := w.procs[i]
		if p == nil || !all && int(it.node) != i && p.idle() {
			continue
		}
		w.sameCalls(p, news, w.awaited[i].number)
		w.sameMoves(p, news)
		w.sameState(p)
		w.syncClock(p)
		if !s.nodes[i].up { // it has stopped, and so has its machine
			p.bury()
		}
	}
}

// noteStore takes into the digest what the store has done.
func (w *World) noteStore(news []Entry) {
	for i := range news {
		if e := &news[i]; e.Kind == CarriedOut {
			w.note(uint64(w.world.now), uint64(e.Node), uint64(e.Op)<<8|uint64(e.Answer), uint64(e.Term),
				uint64(e.Holder), uint64(e.Expires))
		}
	}
}

// disagree takes note that a node and its machine do not agree.
func (w *World) disagree(format string, args ...any) { w.inexcusable("conform", format, args...) }

// inexcusable takes note of what no fault excuses.
func (w *World) inexcusable(rule, format string, args ...any) {
	c := &w.world.check
	if c.violation.Beyond {
		c.violation = Violation{}
	}
	c.fail(&w.world, rule, format, args...)
	c.violation.Beyond = false
}

// maxOut is how many calls of one election package actor makes at once: one, and one that does not return although
// its context has ended. What is more is refused to the machine as if the store had given no usable answer.
const maxOut = 2

// pending is what a node waits for.
type pending struct {
	number uint64 // of the call whose answer its machine awaits
	out    int    // calls that have not returned
}

// request is a request that a machine has asked for.
type request struct {
	node   uint8
	number uint64
}

// await takes down what each node waits for.
func (w *World) await() {
	for i := range w.world.sc.Nodes {
		w.awaited[i] = pending{}
		if p := w.procs[i]; p != nil {
			_, w.awaited[i].number = w.world.nodes[i].machine.Awaits()
			w.awaited[i].out = len(p.calls)
		}
	}
}

// hung tells the machine of p, which has reached maxOut, of a call that was not made, and reports whether there was
// one.
func (w *World) hung(p *process, before uint64) bool {
	s := &w.world
	op, number := s.nodes[p.number].machine.Awaits()
	if number == 0 || number == before || slices.ContainsFunc(p.fresh, func(c *call) bool { return c.op == op }) {
		return false
	}
	for k := len(w.trace.Entries) - 1; k >= w.seen; k-- {
		e := w.trace.Entries[k]
		if e.Kind == Asked && e.Node == int8(p.number) && e.Op == op {
			r := request{p.number, e.Call}
			if w.void[r] {
				return false
			}
			w.void[r] = true
			s.step(p.number, fsm.Input{Kind: fsm.Unknown, Op: op, Call: number})
			return true
		}
	}
	return false
}

// sameCalls compares the calls that p has made with those that its machine has asked for, and gives them their numbers.
func (w *World) sameCalls(p *process, news []Entry, before uint64) {
	s := &w.world
	w.mu.Lock()
	defer w.mu.Unlock()
	op, number := s.nodes[p.number].machine.Awaits()
	awaited := number != 0 && number != before
	hang := len(p.calls) - len(p.fresh)
	for k := len(news) - 1; k >= 0; k-- {
		e := &news[k]
		if e.Kind != Asked || e.Node != int8(p.number) || w.void[request{p.number, e.Call}] {
			continue
		}
		at := slices.IndexFunc(p.fresh, func(c *call) bool {
			return c.op == e.Op && (e.Op == fsm.Acquire || c.term == e.Term)
		})
		if at < 0 {
			w.disagree("the machine of n%d asks to %v (term %d) and the node does not",
				p.number, e.Op, e.Term)
			return
		}
		c := p.fresh[at]
		p.fresh = slices.Delete(p.fresh, at, at+1)
		if awaited && c.op == op {
			if c.number, awaited = number, false; hang >= maxOut {
				w.disagree("n%d asks to %v while %d calls have not returned; an actor makes %d at most",
					p.number, op, hang, maxOut)
			}
		}
		if f, hangs := s.requestFault(p.number, e.Call, Hang); hangs {
			c.hangs = true
			s.push(item{
				at: s.now + int64(f.By+2*s.sc.Timing.TTL), do: giveUp, node: p.number, inc: p.inc, call: c.number, op: c.op,
			})
		}
	}
	if len(p.fresh) > 0 && s.nodes[p.number].up {
		w.disagree("n%d asks to %v (term %d) and its machine does not",
			p.number, p.fresh[0].op, p.fresh[0].term)
	}
}

// move is what is compared of a change of state.
type move struct {
	from, to fsm.State
	reason   fsm.Reason
	term     lease.Term
}

// sameMoves compares what p has published with what its machine has done.
func (w *World) sameMoves(p *process, news []Entry) {
	s := &w.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var space [2][8]move
	moves, want := space[0][:0], space[1][:0]
	for i := range p.events {
		t := &p.events[i]
		w.note(uint64(s.now), uint64(p.number), t.Seq, uint64(t.Kind)<<24|uint64(t.From)<<16|uint64(t.To)<<8|
			uint64(t.Reason), uint64(t.Term), uint64(t.At.UnixNano()))
		w.noteText(t.Leader.Name)
		if t.Kind == events.Moved {
			moves = append(moves, move{t.From, t.To, t.Reason, t.Term})
		}
	}
	clear(p.events)
	p.events = p.events[:0]
	for i := range news {
		if e := &news[i]; e.Kind == Moved && e.Node == int8(p.number) {
			want = append(want, move{e.From, e.To, e.Reason, e.Term})
		}
	}
	if !slices.Equal(moves, want) {
		w.disagree("n%d published %v; its machine made the moves %v", p.number, slices.Clone(moves), slices.Clone(want))
	}
}

// sameState compares how p stands with how its machine stands.
func (w *World) sameState(p *process) {
	s := &w.world
	n := &s.nodes[p.number]
	st, m := p.campaign.Status(), &n.machine
	left := max(m.Until().Sub(s.local(n)), 0)
	if m.State() < fsm.Leader {
		left = 0
	}
	if st.State != m.State() || st.Term != m.Term() || st.Paused != m.Paused() || st.Remaining != left {
		w.disagree("n%d is %v under term %d for %v, paused %v; its machine %v under term %d for %v, paused %v",
			p.number, st.State, st.Term, st.Remaining, st.Paused, m.State(), m.Term(), left, m.Paused())
	}
}

// syncClock gives the clocks of p the reading and rate of the host's.
func (w *World) syncClock(p *process) {
	n := &w.world.nodes[p.number]
	for _, c := range []*nodeClock{p.actorClock, p.workClock} {
		if c.set(n) {
			for _, t := range c.timers {
				w.schedule(t)
			}
		}
	}
}
