package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// expand finds every state that one event leads to from the one at hand.
func (x *scout) expand() {
	w, urgent := &x.w, false
	for i := range int8(x.s.Nodes) {
		urgent = x.expandNode(i) || urgent
	}
	if x.s.Store != Register {
		x.expandGhosts()
	}
	if !w.healed && x.s.Heal {
		x.heal()
		x.found(event{do: heals}, everyone)
	}
	if !urgent && x.pass() {
		x.found(event{do: passes}, everyone)
	}
}

// expandNode does all that can happen to node i, and reports whether something has to happen before time passes.
func (x *scout) expandNode(i int8) (urgent bool) {
	w, n := &x.w, &x.w.nodes[i]
	if x.s.Store == Register {
		urgent = x.expandClient(i)
	} else {
		urgent = x.expandMail(i)
	}
	switch {
	case !n.up:
		if !w.healed {
			x.boot(n)
			x.found(event{do: restarts, node: i}, i)
		}
		return urgent
	case n.paused:
		e := event{do: resumes, node: i}
		if !x.again(e) {
			n.paused = false
		}
		x.found(e, i)
		return urgent
	}
	if n.m.Wake() <= w.now {
		urgent = true
		e := event{do: ticks, node: i}
		if !x.again(e) {
			x.step(i, fsm.Input{Kind: fsm.Tick})
		}
		x.found(e, i)
	}
	if x.s.cells && n.fresh() {
		return urgent
	}
	if n.told && n.running {
		// Work that is told to stop returns within the grace: before the tick at which the lease may end.
		urgent = urgent || n.drained >= int8(x.t.Grace)-1
		e := event{do: drains, node: i}
		if !x.again(e) {
			n.running, n.told, n.tainted, n.drained = false, false, false, 0
			x.step(i, fsm.Input{Kind: fsm.Drained})
		}
		x.found(e, i)
	}
	if w.healed {
		return urgent
	}
	if w.resigns > 0 && (n.m.State() == fsm.Leader || x.s.cells) {
		w.resigns--
		x.strikes(n, Resign)
		x.step(i, fsm.Input{Kind: fsm.Resign})
		x.found(event{do: resigned, node: i}, i)
	}
	x.expandAsked(i)
	if w.pauses > 0 {
		w.pauses--
		x.strikes(n, Pause)
		n.paused, n.tainted = true, n.tainted || n.told
		x.found(event{do: pauses, node: i}, i)
	}
	if w.crashes > 0 {
		w.crashes--
		x.strikes(n, Crash)
		x.crash(i)
		x.found(event{do: dies, node: i}, i)
	}
	return urgent
}

// expandAsked lets people and the work ask things of node i.
func (x *scout) expandAsked(i int8) {
	w, n := &x.w, &x.w.nodes[i]
	if w.hands > 0 && (n.m.State() == fsm.Leader || x.s.cells) {
		w.hands--
		x.strikes(n, Hand)
		x.step(i, fsm.Input{Kind: fsm.HandOver})
		x.found(event{do: hands, node: i}, i)
	}
	if n.m.Paused() {
		x.step(i, fsm.Input{Kind: fsm.Resume})
		x.found(event{do: uncordons, node: i}, i)
	} else if w.cordons > 0 {
		if x.s.cells { // for once too often
			w.cordons--
			x.step(i, fsm.Input{Kind: fsm.Resume})
			x.found(event{do: uncordons, node: i}, i)
		}
		w.cordons--
		x.strikes(n, Cordon)
		x.step(i, fsm.Input{Kind: fsm.Pause})
		x.found(event{do: cordons, node: i}, i)
	}
	if w.stops > 0 && !n.m.Stopped() {
		w.stops--
		x.strikes(n, Leave)
		x.step(i, fsm.Input{Kind: fsm.Stop})
		x.found(event{do: stops, node: i}, i)
	}
	if w.ends > 0 && n.running && !n.told {
		w.ends--
		x.strikes(n, ReturnSoon)
		n.running, n.tainted = false, false
		x.step(i, fsm.Input{Kind: fsm.Drained})
		x.found(event{do: ends, node: i}, i)
	}
	if w.news > 0 {
		w.news--
		who, left := fsm.Other, time.Duration(w.store.left)
		switch w.store.holder {
		case i + 1:
			who = fsm.Us
		case 0:
			who = fsm.Nobody
		}
		if left == 0 {
			who = fsm.Nobody
		}
		x.step(i, fsm.Input{Kind: fsm.Seen, Term: lease.Term(w.store.term), Who: who, Remaining: left})
		x.found(event{do: learnsNews, node: i}, i)
	}
}

// expandMail lets the messages of node i arrive or be lost, and reports whether one has to arrive before time passes.
func (x *scout) expandMail(i int8) (urgent bool) {
	w, n := &x.w, &x.w.nodes[i]
	for slot := range int8(2) {
		switch l := n.mail[slot]; {
		case l.op == fsm.NoCall:
			continue
		case l.answer == fsm.Tick:
			x.carry(i, slot)
			x.found(event{do: carries, node: i, slot: slot}, i)
			if !w.healed {
				x.strikes(n, LoseAnswer)
				x.carry(i, slot)
				n.mail[slot] = letter{}
				x.found(event{do: carriesUnheard, node: i, slot: slot}, i)
			}
			if w.errors > 0 {
				w.errors--
				x.strikes(n, FailBefore)
				n.mail[slot] = l.failed()
				x.found(event{do: errsBefore, node: i, slot: slot}, i)
				w.errors--
				x.strikes(n, FailAfter)
				x.carry(i, slot)
				n.mail[slot] = l.failed()
				x.found(event{do: errsAfter, node: i, slot: slot}, i)
			}
		case n.up && !n.paused:
			e := event{do: learns, node: i, slot: slot}
			if !x.again(e) {
				x.answer(i, slot)
			}
			x.found(e, i)
		}
		if w.healed {
			urgent = true
			continue
		}
		e := event{do: loses, node: i, slot: slot}
		if !x.again(e) {
			x.loses(n, slot)
			n.mail[slot] = letter{}
		}
		x.found(e, i)
	}
	return urgent
}

// answer gives node i the answer in a slot.
func (x *scout) answer(i, slot int8) {
	n := &x.w.nodes[i]
	l, who := n.mail[slot], fsm.Other
	if l.left < 0 {
		who = fsm.Nobody
	}
	n.mail[slot] = letter{}
	x.step(i, fsm.Input{
		Kind: l.answer, Op: l.op, Call: uint64(l.call), Term: lease.Term(l.term), Who: who,
		Remaining: time.Duration(l.left),
	})
}

// expandGhosts lets requests of dead processes arrive.
func (x *scout) expandGhosts() {
	w := &x.w
	for slot := range int8(2) {
		if w.ghosts[slot].op == fsm.NoCall {
			continue
		}
		x.carry(nobody, slot)
		x.found(event{do: ghostCarries, slot: slot}, nobody)
		w.ghosts[slot] = letter{}
		x.found(event{do: ghostLoses, slot: slot}, nobody)
	}
}

func (x *scout) boot(n *smallNode) {
	*n = smallNode{m: fsm.New(x.t, 0), up: true, mail: n.mail, strays: n.strays, hit: n.hit}
}

// crash ends a process. Its requests may still arrive.
func (x *scout) crash(i int8) {
	w, n := &x.w, &x.w.nodes[i]
	if x.s.Store == Register {
		x.crashOver(i)
		return
	}
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
	if w.store.holder == i+1 {
		w.store.holder = dead
	}
	*n = smallNode{hit: n.hit & ended}
}

// heal ends all faults: from now on nothing is lost and messages take no time.
func (x *scout) heal() {
	w := &x.w
	w.healed = true
	w.budget = budget{}
	w.ghosts = [2]letter{}
	for i := range int8(x.s.Nodes) {
		n := &w.nodes[i]
		n.paused, n.strays = false, [2]stray{}
		if !n.up {
			x.boot(n)
		}
		if n.m.Paused() {
			x.step(i, fsm.Input{Kind: fsm.Resume})
		}
	}
}

// pass lets one tick of time pass, and reports whether the state is still of interest.
func (x *scout) pass() bool {
	w, leading := &x.w, false
	w.now++
	for i := range x.s.Nodes {
		n := &w.nodes[i]
		if !n.up {
			continue
		}
		x.waits(n)
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
	if leading { // what comes after is explored without healing
		x.back()
		return false
	}
	w.alone++
	x.out.failover = max(x.out.failover, int(w.alone))
	t := x.t
	// The lease of whoever crashed last, whatever the others were doing, one poll, one call, and work that winds down.
	bound := t.TTL + t.Poll + t.CallTimeout + t.Grace
	if x.s.Store == Register { // nobody counts a lease before it was seen
		bound += 2*t.Retry + t.CallTimeout
	}
	if time.Duration(w.alone) > bound {
		x.fail("live", "nobody leads %d ticks after everything was healed", w.alone)
	}
	return true
}

// acts reports whether the work of n is in force and within the promise.
func (w *smallWorld) acts(i int8) bool {
	n := &w.nodes[i]
	return n.up && n.running && !n.tainted && (!n.paused || n.m.Until() > w.now)
}

// carry has the store do the request in a slot of node i, or of a ghost if i is negative.
func (x *scout) carry(i, slot int8) {
	w, s := &x.w, &x.w.store
	l, us := &w.ghosts[slot], int8(dead)
	if i >= 0 {
		l, us = &w.nodes[i].mail[slot], i+1
	}
	ours := s.holder == us
	l.answer, l.left = fsm.Refused, -1
	switch live := s.left > 0 && s.holder != 0; {
	case l.op == fsm.Acquire && (!live || ours):
		for j := range int8(x.s.Nodes) {
			if j != i && w.acts(j) {
				x.fail("R1", "the store grants the lease to n%d while n%d works under it", i, j)
			}
		}
		s.term++
		s.holder, s.left, l.answer, l.term = us, int8(x.t.TTL), fsm.Granted, s.term
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
		s.holder, s.left, l.answer = 0, 0, fsm.Granted
	}
	if i < 0 || !w.nodes[i].up {
		*l = letter{} // nobody to answer
	}
}
