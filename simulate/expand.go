package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// expand finds every state that one event leads to from w.
func (x *explorer) expand(w *smallWorld) {
	urgent := false
	for i := range w.count {
		urgent = x.expandNode(w, i) || urgent
	}
	x.expandGhosts(w)
	if !w.healed && x.s.Heal {
		next := *w
		x.heal(&next)
		x.found(&next, event{do: heals})
	}
	if !urgent {
		next := *w
		if x.pass(&next) {
			x.found(&next, event{do: passes})
		}
	}
}

// expandNode does all that can happen to node i, and reports whether something has to happen before time passes.
func (x *explorer) expandNode(w *smallWorld, i int8) (urgent bool) {
	n := &w.nodes[i]
	do := func(e small, f func(w *smallWorld, n *smallNode)) {
		next := *w
		f(&next, &next.nodes[i])
		x.found(&next, event{do: e, node: i})
	}
	urgent = x.expandMail(w, i)
	switch {
	case !n.up:
		if !w.healed {
			do(restarts, func(w *smallWorld, n *smallNode) { x.boot(n) })
		}
		return urgent
	case n.paused:
		do(resumes, func(w *smallWorld, n *smallNode) { n.paused = false })
		return urgent
	}
	if n.m.Wake() <= w.now {
		urgent = true
		do(ticks, func(w *smallWorld, n *smallNode) { x.step(w, i, fsm.Input{Kind: fsm.Tick}) })
	}
	if n.told && n.running {
		// Work that is told to stop returns within the grace: before the tick at which the lease may end.
		urgent = urgent || n.drained >= int8(x.t.Grace)-1
		do(drains, func(w *smallWorld, n *smallNode) {
			n.running, n.told, n.tainted, n.drained = false, false, false, 0
			x.step(w, i, fsm.Input{Kind: fsm.Drained})
		})
	}
	if w.healed {
		return urgent
	}
	if w.resigns > 0 && n.m.State() == fsm.Leader {
		do(resigned, func(w *smallWorld, n *smallNode) { w.resigns--; x.step(w, i, fsm.Input{Kind: fsm.Resign}) })
	}
	x.expandAsked(w, i, do)
	if w.pauses > 0 {
		do(pauses, func(w *smallWorld, n *smallNode) { w.pauses--; n.paused, n.tainted = true, n.tainted || n.told })
	}
	if w.crashes > 0 {
		do(dies, func(w *smallWorld, n *smallNode) { w.crashes--; x.crash(w, n) })
	}
	return urgent
}

// expandAsked lets people and the work ask things of node i.
func (x *explorer) expandAsked(w *smallWorld, i int8, do func(e small, f func(w *smallWorld, n *smallNode))) {
	n := &w.nodes[i]
	if w.hands > 0 && n.m.State() == fsm.Leader {
		do(hands, func(w *smallWorld, n *smallNode) { w.hands--; x.step(w, i, fsm.Input{Kind: fsm.HandOver}) })
	}
	if n.m.Paused() {
		do(uncordons, func(w *smallWorld, n *smallNode) { x.step(w, i, fsm.Input{Kind: fsm.Resume}) })
	} else if w.cordons > 0 {
		do(cordons, func(w *smallWorld, n *smallNode) { w.cordons--; x.step(w, i, fsm.Input{Kind: fsm.Pause}) })
	}
	if w.stops > 0 && !n.m.Stopped() {
		do(stops, func(w *smallWorld, n *smallNode) { w.stops--; x.step(w, i, fsm.Input{Kind: fsm.Stop}) })
	}
	if w.ends > 0 && n.running && !n.told {
		do(ends, func(w *smallWorld, n *smallNode) {
			w.ends--
			n.running, n.tainted = false, false
			x.step(w, i, fsm.Input{Kind: fsm.Drained})
		})
	}
	if w.news > 0 {
		do(learnsNews, func(w *smallWorld, n *smallNode) {
			w.news--
			who, left := fsm.Other, time.Duration(w.store.left)
			switch {
			case w.store.left == 0 || !w.held():
				who, left = fsm.Nobody, 0
			case n.holder:
				who = fsm.Us
			}
			x.step(w, i, fsm.Input{Kind: fsm.Seen, Term: w.store.term, Who: who, Remaining: left})
		})
	}
}

// expandMail lets the messages of node i arrive or be lost, and reports whether one has to arrive before time passes.
func (x *explorer) expandMail(w *smallWorld, i int8) (urgent bool) {
	n := &w.nodes[i]
	do := func(e small, slot int8, f func(w *smallWorld, n *smallNode)) {
		next := *w
		f(&next, &next.nodes[i])
		x.found(&next, event{do: e, node: i, slot: slot})
	}
	for slot := range int8(2) {
		l := n.mail[slot]
		switch {
		case l.op == fsm.NoCall:
			continue
		case l.answer == fsm.Tick:
			do(carries, slot, func(w *smallWorld, n *smallNode) { x.carry(w, i, slot) })
			if !w.healed {
				do(carriesUnheard, slot, func(w *smallWorld, n *smallNode) { x.carry(w, i, slot); n.mail[slot] = letter{} })
			}
		case n.up && !n.paused:
			do(learns, slot, func(w *smallWorld, n *smallNode) {
				n.mail[slot] = letter{}
				who := fsm.Other
				if l.left < 0 {
					who = fsm.Nobody
				}
				x.step(w, i, fsm.Input{
					Kind: l.answer, Op: l.op, Call: l.call, Term: l.term, Who: who, Remaining: time.Duration(l.left),
				})
			})
		}
		if w.healed {
			urgent = true
			continue
		}
		do(loses, slot, func(w *smallWorld, n *smallNode) { n.mail[slot] = letter{} })
	}
	return urgent
}

// expandGhosts lets requests of dead processes arrive.
func (x *explorer) expandGhosts(w *smallWorld) {
	for slot := range int8(2) {
		if w.ghosts[slot].op == fsm.NoCall {
			continue
		}
		next := *w
		x.carry(&next, -1, slot)
		x.found(&next, event{do: ghostCarries, slot: slot})
		next = *w
		next.ghosts[slot] = letter{}
		x.found(&next, event{do: ghostLoses, slot: slot})
	}
}

func (x *explorer) boot(n *smallNode) {
	mail := n.mail
	*n = smallNode{m: fsm.New(x.t, 0), up: true, mail: mail}
}

// crash ends a process. Its requests may still arrive.
func (x *explorer) crash(w *smallWorld, n *smallNode) {
	for _, l := range n.mail {
		if l.op != fsm.NoCall && l.answer == fsm.Tick {
			l.call = 0
			if l.op == fsm.Acquire {
				l.term = 0 // says nothing
			}
			w.ghosts[0], w.ghosts[1] = w.ghosts[1], l
			if x.s.Letters == 1 {
				w.ghosts[0] = letter{}
			}
		}
	}
	w.store.ghost = w.store.ghost || n.holder
	*n = smallNode{}
}

// heal ends all faults: from now on nothing is lost and messages take no time.
func (x *explorer) heal(w *smallWorld) {
	w.healed = true
	w.budget = budget{}
	w.ghosts = [2]letter{}
	for i := range w.count {
		n := &w.nodes[i]
		n.paused = false
		if !n.up {
			x.boot(n)
		}
		if n.m.Paused() {
			x.step(w, i, fsm.Input{Kind: fsm.Resume})
		}
	}
}

// pass lets one tick of time pass, and reports whether the state is still of interest.
func (x *explorer) pass(w *smallWorld) bool {
	leading := false
	if x.raw != nil {
		w.now++
	}
	for i := range w.count {
		n := &w.nodes[i]
		if !n.up {
			continue
		}
		if x.raw == nil {
			n.m = n.m.Pack(1, 1, identity).Unpack(x.t, 1) // seen from one tick later
		}
		if n.running && n.told && !n.paused {
			n.drained++
		}
		if n.paused && n.running && n.m.Until() <= w.now {
			n.tainted = true
		}
		leading = leading || n.m.State() == fsm.Leader
	}
	w.store.left = max(w.store.left-1, 0)
	if !w.healed {
		return true
	}
	if leading {
		return false // what comes after is explored without healing
	}
	w.alone++
	x.r.Failover = max(x.r.Failover, int(w.alone))
	t := x.t
	// The lease of whoever crashed last, whatever the others were doing, one poll, one call, and work that winds down.
	if bound := int8(t.TTL + t.Poll + t.CallTimeout + t.Grace); w.alone > bound {
		x.fail("live", "nobody leads %d ticks after everything was healed", w.alone)
	}
	return true
}

func identity(t lease.Term) uint8 { return uint8(t) }

// acts reports whether the work of n is in force and within the promise.
func (w *smallWorld) acts(i int8) bool {
	n := &w.nodes[i]
	return n.up && n.running && !n.tainted && (!n.paused || n.m.Until() > w.now)
}

// carry has the store do the request in a slot of node i, or of a ghost if i is negative.
func (x *explorer) carry(w *smallWorld, i, slot int8) {
	s := &w.store
	l, ours, set := &w.ghosts[slot], s.ghost, &s.ghost
	if i >= 0 {
		l, ours, set = &w.nodes[i].mail[slot], w.nodes[i].holder, &w.nodes[i].holder
	}
	l.answer, l.left = fsm.Refused, -1
	switch live := s.left > 0 && w.held(); {
	case l.op == fsm.Acquire && (!live || ours):
		for j := range w.count {
			if j != i && w.acts(j) {
				x.fail("R1", "the store grants the lease to n%d while n%d works under it", i, j)
			}
		}
		w.vacate()
		*set = true
		s.term++
		s.left, l.answer, l.term = int8(x.t.TTL), fsm.Granted, s.term
	case l.op == fsm.Acquire:
		l.term, l.left = s.term, s.left
	case !ours || s.term != l.term || l.op == fsm.Renew && !live:
		l.term = s.term
	case l.op == fsm.Renew:
		s.left, l.answer = int8(x.t.TTL), fsm.Granted
	default:
		if i >= 0 && w.nodes[i].running {
			x.fail("R8", "the lease of n%d is released while its work runs", i)
		}
		w.vacate()
		s.left, l.answer = 0, fsm.Granted
	}
	if i < 0 {
		*l = letter{} // nobody to answer
	} else if !w.nodes[i].up {
		*l = letter{}
	}
}

func (w *smallWorld) held() bool {
	held := w.store.ghost
	for i := range w.count {
		held = held || w.nodes[i].holder
	}
	return held
}

func (w *smallWorld) vacate() {
	w.store.ghost = false
	for i := range w.count {
		w.nodes[i].holder = false
	}
}

// step gives in to the machine of node i, checks what it does and does what it asks for.
func (x *explorer) step(w *smallWorld, i int8, in fsm.Input) {
	n := &w.nodes[i]
	was := n.m
	var call fsm.Call
	in.Now = w.now
	_, awaited := was.Awaits()
	n.m, call = was.Step(in)
	from, to := was.State(), n.m.State()
	x.r.Coverage.step(from, in.Kind)
	if from != to {
		if legal[from][n.m.Reason()] != to+1 {
			x.fail("table", "n%d moved from %v to %v for %v", i, from, to, n.m.Reason())
		}
		x.r.Coverage.move(from, n.m.Reason())
	}
	switch {
	case from == fsm.Leader && to == fsm.Leader && was.Until() <= w.now:
		x.fail("R2", "n%d leads on although its time is up", i)
	case from == fsm.Leader && to != fsm.Leader && in.Kind == fsm.Unknown && was.Until() > w.now:
		x.fail("R12", "n%d gave up for one unusable answer", i)
	case to == fsm.Leader && from != fsm.Leader:
		if n.m.Paused() || n.m.Stopped() {
			x.fail("stop", "n%d begins to lead although it was asked not to", i)
		}
		if n.running {
			x.fail("R9", "n%d begins to work while its old work runs", i)
		}
		for j := range w.count {
			if j != i && w.acts(j) {
				x.fail("R1", "n%d begins to work while n%d works", i, j)
			}
		}
		n.running, n.told, n.tainted, n.drained = true, false, false, 0
	case from == fsm.Leader && to != fsm.Leader && n.running:
		n.told = true
	}
	if n.m.Until() != was.Until() && to == fsm.Leader && n.holder && n.m.Term() == w.store.term &&
		int64(n.m.Until().Sub(w.now)+x.t.Grace) > int64(w.store.left) && n.m.Until() > w.now {
		x.fail("R1", "n%d believes in its lease for %d ticks and a grace of %d; the store ends it in %d",
			i, n.m.Until().Sub(w.now), x.t.Grace, w.store.left)
	}
	late := in.Kind == fsm.Granted && in.Op == fsm.Acquire && in.Call != awaited
	if late && from < fsm.Leader && call.Op != fsm.Release {
		x.fail("R10", "n%d keeps a lease that was granted too late", i)
	}
	if call.Op != fsm.NoCall {
		x.ask(n, i, call)
	}
	if n.m.Done() { // the process ends, and what it has sent stays under way
		x.crash(w, n)
	}
}

// ask puts call on its way to the store.
func (x *explorer) ask(n *smallNode, i int8, call fsm.Call) {
	switch {
	case call.Op == fsm.Acquire && n.running:
		x.fail("R9", "n%d stands while its work runs", i)
	case call.Op == fsm.Release && n.running && call.Term == n.m.Term():
		x.fail("R8", "n%d releases its lease while its work runs", i)
	}
	if full := n.mail[x.s.Letters-1].op != fsm.NoCall; full { // the oldest is lost
		n.mail[0], n.mail[1] = n.mail[1], letter{}
	}
	free := &n.mail[0]
	if free.op != fsm.NoCall {
		free = &n.mail[1]
	}
	*free = letter{op: call.Op, call: call.Number, term: call.Term}
}
