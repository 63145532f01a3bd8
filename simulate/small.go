package simulate

import (
	"fmt"
	"slices"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// smallWorld is one state of a world that is explored. The present is instant 0, always: what changes is everything
// else. Only where nothing is left out, as a check of what is left out otherwise, time goes on.
type smallWorld struct {
	now    fsm.Instant
	nodes  [smallNodes]smallNode
	ghosts [2]letter // requests of processes that have died since
	store  smallStore
	count  int8

	budget
	healed bool
	alone  int8 // ticks without a leader since then
}

// budget is how much is left of what a small world may do.
type budget struct{ crashes, pauses, resigns, hands, cordons, stops, ends, news int8 }

func (s *Small) budget() budget {
	return budget{
		crashes: int8(s.Crashes), pauses: int8(s.Pauses), resigns: int8(s.Resigns), hands: int8(s.Hands),
		cordons: int8(s.Cordons), stops: int8(s.Stops), ends: int8(s.Returns), news: int8(s.News),
	}
}

// pack puts each part into three bits.
func (b budget) pack() uint64 {
	return uint64(b.crashes) | uint64(b.pauses)<<3 | uint64(b.resigns)<<6 | uint64(b.hands)<<9 | uint64(b.cordons)<<12 |
		uint64(b.stops)<<15 | uint64(b.ends)<<18 | uint64(b.news)<<21
}

func unpackBudget(p uint64) budget {
	part := func(i int) int8 { return int8(p >> (3 * i) & 7) }
	return budget{part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)}
}

type smallNode struct {
	m       fsm.Machine
	mail    [2]letter // on their way, the older first
	up      bool
	paused  bool
	running bool // the work
	told    bool // it was told to stop
	tainted bool // outside of the promise: it stood still beyond its deadline
	drained int8 // ticks since it was told
	holder  bool // the lease is ours, at the store
}

type smallStore struct {
	ghost bool // the holder has died
	term  lease.Term
	left  int8 // ticks until the lease runs out
}

// letter is a request or an answer on its way. The zero letter is none.
type letter struct {
	op     fsm.Op
	answer fsm.Kind // Tick: it is a request
	call   uint64
	term   lease.Term
	left   int8 // of a refusal: how much longer the lease lasts; -1: nobody has it
}

// packed is a smallWorld in few words: for each node the machine, its surroundings and its mail; then the rest.
type packed [smallNodes*4 + 2]uint64

// relevant returns l without what nobody will look at: an answer that is no longer awaited does nothing, unless it
// grants a lease.
func (l letter) relevant(awaited uint64) letter {
	current := l.call != 0 && l.call == awaited
	switch {
	case l.answer == fsm.Tick:
		if l.op == fsm.Acquire {
			l.term = 0
		}
	case !current && !(l.answer == fsm.Granted && l.op == fsm.Acquire):
		return letter{}
	case l.op != fsm.Acquire:
		l.term, l.left = 0, 0
	}
	return l
}

func (l letter) pack(r *rank, awaited uint64) uint64 {
	if l.op == fsm.NoCall {
		return 0
	}
	p := uint64(l.op) | uint64(l.answer)<<2 | uint64(r.of(l.term))<<6 | uint64(uint8(l.left))<<14
	if l.call != 0 && l.call == awaited {
		p |= 1 << 22
	}
	return p
}

func unpackLetter(p uint64) letter {
	return letter{
		op: fsm.Op(p & 3), answer: fsm.Kind(p >> 2 & 15), term: lease.Term(p >> 6 & 255), left: int8(p >> 14),
		call: p >> 22 & 1,
	}
}

func bitsOf(flags ...bool) (b uint64) {
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	return b
}

func (w *smallWorld) pack(x *explorer) (p packed) {
	var r rank
	r.add(w.store.term)
	for i := range w.count {
		n := &w.nodes[i]
		_, awaited := n.m.Awaits()
		n.mail[0], n.mail[1] = n.mail[0].relevant(awaited), n.mail[1].relevant(awaited)
		if n.mail[0].op == fsm.NoCall {
			n.mail[0], n.mail[1] = n.mail[1], letter{}
		}
		if n.up {
			r.add(n.m.Term())
		}
		r.add(n.mail[0].term)
		r.add(n.mail[1].term)
	}
	r.add(w.ghosts[0].term)
	r.add(w.ghosts[1].term)
	var records [smallNodes][4]uint64
	for i := range w.count {
		n := &w.nodes[i]
		rec := &records[i]
		if n.up {
			m := n.m.Pack(w.now, 1, r.of)
			rec[0], rec[1] = m[0], m[1]
		}
		rec[2] = bitsOf(n.up, n.paused, n.running, n.told, n.tainted, n.holder) | uint64(n.drained)<<8
		_, awaited := n.m.Awaits()
		rec[3] = n.mail[0].pack(&r, awaited) | n.mail[1].pack(&r, awaited)<<32
	}
	if !x.s.NoSymmetry {
		slices.SortFunc(records[:w.count], func(a, b [4]uint64) int { return slices.Compare(a[:], b[:]) })
	}
	for i := range w.count {
		copy(p[i*4:], records[i][:])
	}
	p[smallNodes*4] = w.ghosts[0].pack(&r, 0) | w.ghosts[1].pack(&r, 0)<<32
	p[smallNodes*4+1] = bitsOf(w.store.ghost, w.healed) | uint64(r.of(w.store.term))<<8 | uint64(w.store.left)<<16 |
		w.budget.pack()<<24 | uint64(w.alone)<<48
	return p
}

func (p *packed) unpack(x *explorer) (w smallWorld) {
	w.count = int8(x.s.Nodes)
	for i := range w.count {
		rec := p[i*4 : i*4+4]
		f := rec[2]
		n := &w.nodes[i]
		*n = smallNode{
			up: f&1 != 0, paused: f>>1&1 != 0, running: f>>2&1 != 0,
			told: f>>3&1 != 0, tainted: f>>4&1 != 0, holder: f>>5&1 != 0,
			drained: int8(f >> 8), mail: [2]letter{unpackLetter(rec[3] & (1<<32 - 1)), unpackLetter(rec[3] >> 32)},
		}
		if n.up {
			n.m = fsm.Packed{rec[0], rec[1]}.Unpack(x.t, 1)
		}
	}
	g, rest := p[smallNodes*4], p[smallNodes*4+1]
	w.ghosts = [2]letter{unpackLetter(g & (1<<32 - 1)), unpackLetter(g >> 32)}
	w.store = smallStore{ghost: rest&1 != 0, term: lease.Term(rest >> 8 & 255), left: int8(rest >> 16)}
	w.healed = rest>>1&1 != 0
	w.budget, w.alone = unpackBudget(rest>>24), int8(rest>>48)
	return w
}

// hash is 64 bits of p (the finisher of SplitMix64 after each word).
func (p *packed) hash() uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, word := range p {
		h = (h ^ word) * 0xbf58476d1ce4e5b9
		h ^= h >> 29
		h *= 0x94d049bb133111eb
		h ^= h >> 32
	}
	return max(h, 1) // 0 marks an empty place in the table
}

// table is a set of hashes, by open addressing: 8 bytes a place, filled to seven tenths at most.
type table struct {
	places []uint64
	n      int
}

// add reports whether h was not in the table yet.
func (t *table) add(h uint64) bool {
	if t.n*10 >= len(t.places)*7 {
		old := t.places
		t.places = make([]uint64, max(1<<12, 2*len(old)))
		for _, h := range old {
			if h != 0 {
				t.put(h)
			}
		}
	}
	if !t.put(h) {
		return false
	}
	t.n++
	return true
}

func (t *table) put(h uint64) bool {
	mask := uint64(len(t.places) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch t.places[i] {
		case h:
			return false
		case 0:
			t.places[i] = h
			return true
		}
	}
}

// event is what leads from one state to the next.
type event struct {
	do   small
	node int8
	slot int8
}

type small uint8

const (
	begins small = iota
	ticks
	carries
	carriesUnheard
	loses
	learns
	drains
	pauses
	resumes
	dies
	restarts
	resigned
	hands
	cordons
	uncordons
	stops
	ends
	learnsNews
	heals
	passes
	ghostCarries
	ghostLoses
)

var smallNames = [...]string{
	begins: "start", ticks: "n%d wakes", carries: "the store carries out a request of n%d",
	carriesUnheard: "the store carries out a request of n%d; the answer is lost", loses: "a message of n%d is lost",
	learns: "n%d learns an answer", drains: "the work of n%d returns", pauses: "n%d stands still", resumes: "n%d goes on",
	dies: "n%d dies", restarts: "n%d starts again", resigned: "n%d is asked to resign",
	hands: "n%d is asked to hand over", cordons: "n%d is asked not to lead", uncordons: "n%d may lead again",
	stops: "n%d is asked to stop", ends: "the work of n%d returns by itself", learnsNews: "n%d sees what the store shows",
	heals:  "everything is healed",
	passes: "time passes", ghostCarries: "the store carries out a request of a dead process",
	ghostLoses: "a request of a dead process is lost",
}

// String returns the event in words. Nodes are numbered as in the state it leaves, in which symmetry may have changed
// their places.
func (e event) String() string {
	switch s := smallNames[e.do]; e.do {
	case begins, heals, passes, ghostCarries, ghostLoses:
		return s
	default:
		return fmt.Sprintf(s, e.node)
	}
}
