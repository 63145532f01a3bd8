package simulate

import (
	"math/bits"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// A state is kept as a few words: two of each node, its machine and its surroundings, then two of the rest. What can
// make no difference any more is forgotten on the way, and of terms only their order is kept.

const (
	nodeWords = 2
	restWords = 2
)

// packedNode is a node in words, with what is derived from them.
type packedNode struct {
	words [nodeWords]uint64
	terms terms  // that occur in it
	hash  uint64 // of the words
}

// terms is a set of terms below 64, a bit each. It ranks its members by their order, from 1 on.
type terms uint64

// anyTerm ranks every term as itself.
const anyTerm = ^terms(1)

func (s *terms) add(t smallTerm) { *s |= 1 << t &^ 1 }

func (s terms) rank(t smallTerm) uint64 { return uint64(bits.OnesCount64(uint64(s) & (2<<t - 1))) }

// dense reports whether each term is its own rank.
func (s terms) dense() bool { s |= 1; return s&(s+1) == 0 }

func identity(t lease.Term) uint8 { return uint8(t) }

const (
	letterBits = 16
	holderBit  = 1 << 5
)

func (l *letter) pack(s terms, awaited uint16) uint64 {
	if l.op == fsm.NoCall {
		return 0
	}
	p := uint64(l.op) | uint64(l.answer)<<2 | s.rank(l.term)<<4 | uint64(l.left+1)<<9
	if l.call != 0 && l.call == awaited {
		p |= 1 << 15
	}
	return p
}

func unpackLetter(p uint64) letter {
	p &= 1<<letterBits - 1
	if p == 0 {
		return letter{}
	}
	return letter{
		op: fsm.Op(p & 3), answer: fsm.Kind(p >> 2 & 3), term: smallTerm(p >> 4 & 31), left: int8(p>>9&63) - 1,
		call: uint16(p >> 15),
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

// pack fills p from n, except for the hash and the bit that says whether n holds the lease.
func (n *smallNode) pack(p *packedNode, now fsm.Instant, s terms) {
	mail, machine, awaited := n.mail, uint64(0), uint16(0)
	p.terms = 0
	if n.up {
		_, call := n.m.Awaits()
		awaited = uint16(call)
		rank := identity
		if s != anyTerm {
			rank = func(t lease.Term) uint8 { return uint8(s.rank(smallTerm(t))) }
		}
		machine = uint64(n.m.Pack(now, 1, rank))
		p.terms.add(smallTerm(n.m.Term()))
	}
	for i := range mail {
		mail[i].forget(awaited)
	}
	if mail[0].op == fsm.NoCall {
		mail[0], mail[1] = mail[1], mail[0]
	}
	p.terms.add(mail[0].term)
	p.terms.add(mail[1].term)
	p.words[0], p.words[1] = machine, bitsOf(n.up, n.paused, n.running, n.told, n.tainted)|uint64(n.drained)<<6|
		mail[0].pack(s, awaited)<<12|mail[1].pack(s, awaited)<<(12+letterBits)
}

func (n *smallNode) unpack(p []uint64, t *fsm.Timing) {
	f := p[1]
	*n = smallNode{
		up: f&1 != 0, paused: f>>1&1 != 0, running: f>>2&1 != 0, told: f>>3&1 != 0, tainted: f>>4&1 != 0,
		drained: int8(f >> 6 & 63), mail: [2]letter{unpackLetter(f >> 12), unpackLetter(f >> (12 + letterBits))},
	}
	if n.up {
		n.m = fsm.Packed(p[0]).Unpack(t, 1)
	}
}

func (r *surroundings) terms() (s terms) {
	s.add(r.store.term)
	s.add(r.ghosts[0].term)
	s.add(r.ghosts[1].term)
	return s
}

func (r *surroundings) pack(s terms) (p [restWords]uint64) {
	p[0] = r.ghosts[0].pack(s, 0) | r.ghosts[1].pack(s, 0)<<letterBits | s.rank(r.store.term)<<32 |
		uint64(r.store.left)<<37 | bitsOf(r.store.holder == dead, r.healed)<<43 | uint64(r.alone)<<45
	p[1] = r.budget.pack()
	return p
}

func (r *surroundings) unpack(p []uint64) {
	*r = surroundings{
		ghosts: [2]letter{unpackLetter(p[0]), unpackLetter(p[0] >> letterBits)},
		store:  smallStore{term: smallTerm(p[0] >> 32 & 31), left: int8(p[0] >> 37 & 63)},
		budget: unpackBudget(p[1]), healed: p[0]>>44&1 != 0, alone: uint8(p[0] >> 45),
	}
	if p[0]>>43&1 != 0 {
		r.store.holder = dead
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

// mix is h and word as 64 bits, each of which depends on each of theirs (the finisher of SplitMix64).
func mix(h, word uint64) uint64 {
	h ^= word
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// rehash derives the hash of a node in place i. Where places make no difference, all are place 0: then the sum over all
// nodes is the same in whatever places they stand.
func (p *packedNode) rehash(i int) {
	h := mix(0x9e3779b97f4a7c15*uint64(i+1), p.words[0])
	p.hash = mix(h, p.words[1])
}

func hashRest(p [restWords]uint64) uint64 { return mix(mix(0, p[0]), p[1]) }
