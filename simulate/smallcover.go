package simulate

import (
	"math/bits"

	"github.com/go-tenure/tenure/fsm"
)

// What a small world can suffer, in the words of schedules, for the coverage of cells. Only an exploration that asks
// for it keeps on each node what has struck since it last began to follow: states that differ in nothing else are then
// different ones.

// hits are the kinds of fault in the order of their bits in smallNode.hit.
var hits = [...]FaultKind{
	Crash, Leave, Pause, Resign, Hand, Cordon, ReturnSoon, LoseCall, LoseAnswer, LateCall, LateAnswer, FailBefore,
	FailAfter,
}

// hitBits is the bit in smallNode.hit of a kind of fault.
var hitBits = func() (bits [faultKinds]uint16) {
	for i, k := range hits {
		bits[k] = 1 << i
	}
	return bits
}()

// ended are the hits that the next process feels.
var ended = hitBits[Crash] | hitBits[Leave]

// loses takes note that the message in a slot of n is lost.
func (x *scout) loses(n *smallNode, slot int8) {
	if n.mail[slot].answer == fsm.Tick {
		x.strikes(n, LoseCall)
	} else {
		x.strikes(n, LoseAnswer)
	}
}

// waits takes note that time passes while messages of n are under way.
func (x *scout) waits(n *smallNode) {
	for i := range n.mail {
		switch l := &n.mail[i]; {
		case l.op == fsm.NoCall:
		case l.answer == fsm.Tick:
			x.strikes(n, LateCall)
		default:
			x.strikes(n, LateAnswer)
		}
	}
}

// strikes takes note that a fault of kind k hits n.
func (x *scout) strikes(n *smallNode, k FaultKind) {
	if x.s.cells && n.up {
		x.out.coverage.struck(k, n.active(&n.m))
		n.hit |= hitBits[k]
	}
}

// active is the faults that are active on n, whose machine is m.
func (n *smallNode) active(m *fsm.Machine) (active faultSet) {
	for rest := n.hit; rest != 0; rest &= rest - 1 {
		active |= 1 << hits[bits.TrailingZeros16(rest)]
	}
	if m.Paused() {
		active |= 1 << Cordon
	}
	if m.Stopped() {
		active |= 1 << Leave
	}
	return active
}

// steps takes note of a step of n from was by in.
func (x *scout) steps(n *smallNode, was *fsm.Machine, in *fsm.Input) {
	if matters(in, was) {
		x.out.coverage.stepped(was.State(), in.Kind, n.active(was))
	}
	if was.State() != fsm.Follower && n.m.State() == fsm.Follower {
		n.hit = 0
	}
}

// fresh reports whether the process of n has just started: the first thing that happens to an election is a Tick.
func (n *smallNode) fresh() bool {
	return n.up && n.m.State() == fsm.Follower && n.hit&ended != 0 && !n.m.Stopped()
}
