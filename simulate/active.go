package simulate

import "github.com/go-tenure/tenure/fsm"

// Which faults are active on which node, for the coverage of cells.

// lasting is which kinds of fault are in force; of some kinds there may be several at once.
type lasting struct {
	set   faultSet
	count [faultKinds]int8
}

func (l *lasting) add(k FaultKind, n int8) {
	if l.count[k] += n; l.count[k] > 0 {
		l.set |= 1 << k
	} else {
		l.set &^= 1 << k
	}
}

// momentary are the kinds that are felt when they strike and not while they last, although they have a length: a
// process that is down or stands still takes no step meanwhile, the machine knows itself whether it was stopped or
// paused, and work feels them when it begins to return.
const momentary = faultSet(1<<Crash | 1<<Leave | 1<<Pause | 1<<Sleep | 1<<Cordon | 1<<Ignore | 1<<ReturnSoon | 1<<Fails)

// ails takes note that a fault of kind k begins or ends, on node i or at the store.
func (c *checker) ails(w *world, k FaultKind, i uint8, begins bool) {
	s := &shapes[k]
	switch n := &w.nodes[i]; k {
	case Ignore, ReturnSoon, Fails: // not before the work begins to return
	case Leave, Resign, Hand, Cordon:
		if begins && n.paused <= w.now { // otherwise nobody heard it
			c.strikes(w, k, i)
		}
	default:
		if begins {
			c.strikes(w, k, i)
		}
	}
	stays := &c.nodes[i].stays
	if s.store {
		stays = &c.stays
	}
	switch {
	case !s.span || momentary.has(k):
	case begins:
		stays.add(k, 1)
	default:
		c.subsides(w, k, i)
		stays.add(k, -1)
	}
}

// subsides takes note that a fault of kind k ends on node i, or at the store. It is felt for a while.
func (c *checker) subsides(w *world, k FaultKind, i uint8) {
	for j := range w.sc.Nodes {
		if w.nodes[j].up && (shapes[k].store || j == int(i)) {
			c.nodes[j].hit |= 1 << k
		}
	}
}

// strikes takes note that a fault of kind k hits node i, or all that there are if it is one of the store. A process
// that is down feels nothing.
func (c *checker) strikes(w *world, k FaultKind, i uint8) {
	store := shapes[k].store
	for j := range w.sc.Nodes {
		n := &w.nodes[j]
		if !n.up || !store && j != int(i) {
			continue
		}
		c.seen.struck(k, c.active(uint8(j), &n.machine))
		c.nodes[j].hit |= 1 << k
	}
}

// active is the faults that are active on node i, whose machine is m.
func (c *checker) active(i uint8, m *fsm.Machine) faultSet {
	o := &c.nodes[i]
	active := o.hit | o.stays.set | c.stays.set
	if m.Paused() {
		active |= 1 << Cordon
	}
	if m.Stopped() {
		active |= 1 << Leave
	}
	return active
}

// booted takes note that node i has started, after so many requests of its predecessors. It feels how those ended.
func (c *checker) booted(i uint8, requests uint64) {
	o := &c.nodes[i]
	o.hit &= 1<<Crash | 1<<Leave
	o.first = requests
}

// recovered takes note that all faults end.
func (c *checker) recovered(w *world) {
	for i := range w.sc.Nodes {
		o := &c.nodes[i]
		if w.nodes[i].up {
			o.hit |= o.stays.set | c.stays.set
		}
		o.stays = lasting{}
	}
	c.stays = lasting{}
}
