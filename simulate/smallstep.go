package simulate

import "github.com/go-tenure/tenure/fsm"

// step gives in to the machine of node i, checks what it does and does what it asks for.
func (x *scout) step(i int8, in fsm.Input) {
	w, n := &x.w, &x.w.nodes[i]
	was := n.m
	var call fsm.Call
	in.Now = w.now
	_, awaited := was.Awaits()
	n.m, call = was.Step(in)
	from, to := was.State(), n.m.State()
	x.steps(n, &was, &in)
	if from != to {
		if legal[from][n.m.Reason()] != to+1 {
			x.fail("table", "n%d moved from %v to %v for %v", i, from, to, n.m.Reason())
		}
		x.out.coverage.move(from, n.m.Reason())
	}
	switch {
	case from == fsm.Leader && to == fsm.Leader && was.Until() <= w.now:
		x.fail("R2", "n%d leads on although its time is up", i)
	case from == fsm.Leader && to != fsm.Leader && in.Kind == fsm.Unknown && was.Until() > w.now:
		x.fail("R12", "n%d gave up for one unusable answer", i)
	case to == fsm.Leader && from != fsm.Leader:
		x.looked = true
		if n.m.Paused() || n.m.Stopped() {
			x.fail("stop", "n%d begins to lead although it was asked not to", i)
		}
		if n.running {
			x.fail("R9", "n%d begins to work while its old work runs", i)
		}
		for j := range int8(x.s.Nodes) {
			if j != i && w.acts(j) {
				x.fail("R1", "n%d begins to work while n%d works", i, j)
			}
		}
		n.running, n.told, n.tainted, n.drained = true, false, false, 0
	case from == fsm.Leader && to != fsm.Leader && n.running:
		n.told = true
	}
	x.looked = x.looked || n.m.Until() != was.Until() && to == fsm.Leader
	if n.m.Until() != was.Until() && to == fsm.Leader && w.store.holder == i+1 && smallTerm(n.m.Term()) == w.store.term &&
		int64(n.m.Until().Sub(w.now)+x.t.Grace) > int64(w.store.left) && n.m.Until() > w.now {
		x.fail("R1", "n%d believes in its lease for %d ticks and a grace of %d; the store ends it in %d",
			i, n.m.Until().Sub(w.now), x.t.Grace, w.store.left)
	}
	late := in.Kind == fsm.Granted && in.Op == fsm.Acquire && in.Call != awaited
	if late && from < fsm.Leader && call.Op != fsm.Release {
		x.fail("R10", "n%d keeps a lease that was granted too late", i)
	}
	if call.Op != fsm.NoCall {
		x.ask(i, call)
	}
	if op, _ := n.m.Awaits(); op == fsm.NoCall && n.client.op != fsm.NoCall {
		x.giveUp(i)
	}
	if n.m.Done() { // the process ends, and what it has sent stays under way
		x.crash(i)
	}
}

// ask puts call on its way to the store.
func (x *scout) ask(i int8, call fsm.Call) {
	n := &x.w.nodes[i]
	switch {
	case call.Op == fsm.Acquire && n.running:
		x.fail("R9", "n%d stands while its work runs", i)
	case call.Op == fsm.Release && n.running && call.Term == n.m.Term():
		x.fail("R8", "n%d releases its lease while its work runs", i)
	}
	if x.s.Store == Register {
		x.consult(i, call)
		return
	}
	if full := n.mail[x.s.Letters-1].op != fsm.NoCall; full { // the oldest is lost
		x.loses(n, 0)
		n.mail[0], n.mail[1] = n.mail[1], letter{}
	}
	free := &n.mail[0]
	if free.op != fsm.NoCall {
		free = &n.mail[1]
	}
	*free = letter{op: call.Op, call: uint16(call.Number), term: smallTerm(call.Term)}
}
