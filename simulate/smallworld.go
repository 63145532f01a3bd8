package simulate

import (
	"github.com/go-tenure/tenure/fsm"
)

// smallNodes is the greatest Small.Nodes.
const smallNodes = 4

// smallWorld is one state of a world that is explored. The present is instant 0, always: what changes is everything
// else. Only where nothing is left out, as a check of what is left out otherwise, time goes on.
type smallWorld struct {
	now   fsm.Instant
	nodes [smallNodes]smallNode
	surroundings
}

// surroundings is what is not of one node.
type surroundings struct {
	ghosts [2]letter // requests of processes that have died since
	store  smallStore
	budget
	healed bool
	alone  uint8 // ticks without a leader since then
}

// budget is how much is left of what a small world may do.
type budget struct{ crashes, pauses, resigns, hands, cordons, stops, ends, news, errors int8 }

func (s *Small) budget() budget {
	return budget{
		crashes: int8(s.Crashes), pauses: int8(s.Pauses), resigns: int8(s.Resigns), hands: int8(s.Hands),
		cordons: int8(s.Cordons), stops: int8(s.Stops), ends: int8(s.Returns), news: int8(s.News), errors: int8(s.Errors),
	}
}

type smallNode struct {
	m       fsm.Machine
	mail    [2]letter // on their way, the older first
	up      bool
	paused  bool
	running bool   // the work
	told    bool   // it was told to stop
	tainted bool   // outside of the promise: it stood still beyond its deadline
	drained int8   // ticks since it was told
	hit     uint16 // what has struck since it last began to follow, if the exploration keeps that: see smallcover.go

	// Over a register only.
	client errand
	sight  smallSight
	strays [2]stray // the older first
}

type smallStore struct {
	term   smallTerm
	left   int8 // ticks until the lease runs out
	holder int8 // number of the node + 1; 0: nobody; dead, or over a register former: a process that has died

	// Over a register only.
	top     smallTerm // the greatest that was ever granted; term is that of the record
	version uint8     // 0: no record
	by      int8      // number of the node + 1 whose client has written it; 0: none that is on its way
}

// smallTerm is a term below 64: more there cannot be in a small world at once.
type smallTerm uint8

// dead is the holder that has died.
const dead = -1

// letter is a request or an answer on its way. The zero letter is none.
type letter struct {
	call   uint16
	term   smallTerm
	op     fsm.Op
	answer fsm.Kind // Tick: it is a request
	left   int8     // of a refusal: how much longer the lease lasts; -1: nobody has it
}

// failed is an error in answer to l.
func (l letter) failed() letter { return letter{op: l.op, call: l.call, answer: fsm.Unknown} }

// forget takes out of l what nobody will look at: an answer that is no longer awaited does nothing, unless it grants a
// lease.
func (l *letter) forget(awaited uint16) {
	switch {
	case l.answer == fsm.Tick:
		if l.op == fsm.Acquire {
			l.term = 0
		}
	case (l.call == 0 || l.call != awaited) && !(l.answer == fsm.Granted && l.op == fsm.Acquire):
		*l = letter{}
	case l.op != fsm.Acquire:
		l.term, l.left = 0, 0
	}
}

// start is the state that an exploration begins with.
func (s *Small) start() (w smallWorld) {
	w.budget = s.budget()
	for i := range s.Nodes {
		w.nodes[i] = smallNode{m: fsm.New(&s.Timing, 0), up: true}
	}
	return w
}
