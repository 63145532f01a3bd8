package simulate

import (
	"math/bits"

	"github.com/go-tenure/tenure/fsm"
)

// A state is kept as a few words: two of each node, its machine and what is around it, then two of the rest. What can
// make no difference any more is forgotten on the way, and of terms only their order is kept.

const (
	maxWords  = 3 // of a node
	restWords = 2
)

// nodeWords is how many words a node takes.
func (s *Small) nodeWords() int {
	if s.Store == Register {
		return 3
	}
	return 2
}

// words is the length of a packed state.
func (s *Small) words() int { return s.Nodes*s.nodeWords() + restWords }

// packed is a node, or the rest, in words, with what is derived from them.
type packed struct {
	words [maxWords]uint64
	terms terms  // that occur in it
	hash  uint64 // of the words
}

// terms is a set of terms below 64, a bit each. It ranks its members by their order, from 1 on.
type terms uint64

func (s *terms) add(t uint64) { *s |= 1 << t &^ 1 }

func (s terms) rank(t uint64) uint64 { return uint64(bits.OnesCount64(uint64(s) & (2<<t - 1))) }

// dense reports whether each term is its own rank.
func (s terms) dense() bool { s |= 1; return s&(s+1) == 0 }

// Where the parts of a node's second word begin, and those of the first word of the rest.
const (
	holderBit = 1 << 5 // it holds the lease,
	formerBit = 1 << 6 // or a process before it does
	writerBit = 1 << 7 // its client wrote what the register holds
	drainedAt = 8
	mailAt    = 14 // two letters, and what has struck; for what is there over a register see packRegister
	hitAt     = mailAt + 2*letterBits

	storeTermAt = 32 // after the two letters of ghosts
	leftAt      = 37
	deadAt      = 43
	healedAt    = 44
	aloneAt     = 45
	topAt       = 53
	existsAt    = 58
)

// Where the parts of a letter begin.
const (
	answerAt   = 2
	termAt     = 4
	remainsAt  = 9
	awaitedAt  = 15
	letterBits = 16

	fiveBits, sixBits = 31, 63
)

func (l *letter) pack(awaited uint16) uint64 {
	if l.op == fsm.NoCall {
		return 0
	}
	p := uint64(l.op) | uint64(l.answer)<<answerAt | uint64(l.term)<<termAt | uint64(l.left+1)<<remainsAt
	if l.call != 0 && l.call == awaited {
		p |= 1 << awaitedAt
	}
	return p
}

func unpackLetter(p uint64) letter {
	p &= 1<<letterBits - 1
	if p == 0 {
		return letter{}
	}
	return letter{
		op: fsm.Op(p & 3), answer: fsm.Kind(p >> answerAt & 3), term: smallTerm(p >> termAt & fiveBits),
		left: int8(p>>remainsAt&sixBits) - 1, call: uint16(p >> awaitedAt),
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

// pack packs n, as seen from now, but for the bit that says whether n holds the lease and for the hash.
func (n *smallNode) pack(p *packed, now fsm.Instant) {
	mail, awaited := n.mail, uint16(0)
	p.words[0], p.words[2], p.terms = 0, 0, 0
	if n.up {
		_, call := n.m.Awaits()
		awaited = uint16(call)
		term := uint8(n.m.Term())
		p.words[0] = uint64(n.m.Pack(now, 1, term))
		p.terms.add(uint64(term))
	}
	for i := range mail {
		mail[i].forget(awaited)
	}
	if mail[0].op == fsm.NoCall {
		mail[0], mail[1] = mail[1], mail[0]
	}
	p.terms.add(uint64(mail[0].term))
	p.terms.add(uint64(mail[1].term))
	p.words[1] = bitsOf(n.up, n.paused, n.running, n.told, n.tainted) | uint64(n.drained)<<drainedAt |
		mail[0].pack(awaited)<<mailAt | mail[1].pack(awaited)<<(mailAt+letterBits) | uint64(n.hit)<<hitAt
}

func (n *smallNode) unpack(p *packed, t *fsm.Timing) {
	f := p.words[1]
	n.up, n.paused, n.running, n.told = f&1 != 0, f>>1&1 != 0, f>>2&1 != 0, f>>3&1 != 0
	n.tainted, n.drained = f>>4&1 != 0, int8(f>>drainedAt&sixBits)
	p.terms = 0
	if n.up {
		m := fsm.Packed(p.words[0])
		n.m = m.Unpack(t, 1)
		p.terms.add(uint64(m.Rank()))
	} else {
		n.m = fsm.Machine{}
	}
}

// unpackMail unpacks what is under way between n and a store that expires leases.
func (n *smallNode) unpackMail(p *packed) {
	n.hit = uint16(p.words[1] >> hitAt)
	for i := range n.mail {
		n.mail[i] = unpackLetter(p.words[1] >> (mailAt + i*letterBits))
		p.terms.add(uint64(n.mail[i].term))
	}
}

// ranked has p, a node, name terms by their rank in s.
func (p *packed) ranked(s terms) {
	if m := fsm.Packed(p.words[0]); p.words[0] != 0 {
		p.words[0] = uint64(m.Ranked(uint8(s.rank(uint64(m.Rank())))))
	}
}

// rankedMail has p, a node beside a store that expires leases, name terms by their rank in s.
func (p *packed) rankedMail(s terms) {
	s.rankAt(&p.words[1], mailAt+termAt)
	s.rankAt(&p.words[1], mailAt+letterBits+termAt)
}

// rankAt puts the rank of the term that begins at bit i of word in its place.
func (s terms) rankAt(word *uint64, i int) {
	t := *word >> i & fiveBits
	*word ^= (t ^ s.rank(t)) << i
}

func (r *surroundings) pack(p *packed) {
	p.words[0] = r.ghosts[0].pack(0) | r.ghosts[1].pack(0)<<letterBits | uint64(r.store.term)<<storeTermAt |
		uint64(r.store.left)<<leftAt | uint64(r.alone)<<aloneAt | uint64(r.store.top)<<topAt
	if r.store.holder == dead {
		p.words[0] |= 1 << deadAt
	}
	if r.healed {
		p.words[0] |= 1 << healedAt
	}
	if r.store.version != 0 {
		p.words[0] |= 1 << existsAt
	}
	p.words[1] = r.budget.pack()
	p.terms = r.terms()
}

func (r *surroundings) unpack(p *packed) {
	w := p.words[0]
	*r = surroundings{
		ghosts: [2]letter{unpackLetter(w), unpackLetter(w >> letterBits)},
		store: smallStore{
			term: smallTerm(w >> storeTermAt & fiveBits), left: int8(w >> leftAt & sixBits),
			top: smallTerm(w >> topAt & fiveBits),
		},
		budget: unpackBudget(p.words[1]), healed: w>>healedAt&1 != 0, alone: uint8(w >> aloneAt),
	}
	if w>>deadAt&1 != 0 {
		r.store.holder = dead
	}
	if w>>existsAt&1 != 0 {
		r.store.version = presentVersion
	}
	p.terms = r.terms()
}

func (r *surroundings) terms() (s terms) {
	s.add(uint64(r.store.term))
	s.add(uint64(r.store.top))
	s.add(uint64(r.ghosts[0].term))
	s.add(uint64(r.ghosts[1].term))
	return s
}

// rankedRest has p, what is not of one node, name terms by their rank in s.
func (p *packed) rankedRest(s terms) {
	s.rankAt(&p.words[0], termAt)
	s.rankAt(&p.words[0], letterBits+termAt)
	s.rankAt(&p.words[0], storeTermAt)
	s.rankAt(&p.words[0], topAt)
}

// claims is what a node's words say of its hold on s, and assume takes it from there.
func (s *smallStore) claims(i int8) (b uint64) {
	switch s.holder {
	case i + 1:
		b = holderBit
	case former(i):
		b = formerBit
	}
	if s.by == i+1 {
		b |= writerBit
	}
	return b
}

func (s *smallStore) assume(i int8, b uint64) {
	if b&holderBit != 0 {
		s.holder = i + 1
	}
	if b&formerBit != 0 {
		s.holder = former(i)
	}
	if b&writerBit != 0 {
		s.by = i + 1
	}
}

// pack puts each part into three bits.
func (b budget) pack() uint64 {
	return uint64(b.crashes) | uint64(b.pauses)<<3 | uint64(b.resigns)<<6 | uint64(b.hands)<<9 | uint64(b.cordons)<<12 |
		uint64(b.stops)<<15 | uint64(b.ends)<<18 | uint64(b.news)<<21 | uint64(b.errors)<<24
}

func unpackBudget(p uint64) budget {
	part := func(i int) int8 { return int8(p >> (3 * i) & 7) }
	return budget{part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7), part(8)}
}

// mix is h and word as 64 bits, each of which depends on each of theirs (the finisher of SplitMix64).
func mix(h, word uint64) uint64 {
	h ^= word
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// rehash derives the hash from the words. Where the place of a node makes no difference, all are place 1: then the sum
// over all nodes is the same in whatever places they stand. What is not of one node is place 0.
func (p *packed) rehash(place, words int) {
	h := mix(0x9e3779b97f4a7c15*uint64(place), p.words[0])
	if h = mix(h, p.words[1]); words == maxWords {
		h = mix(h, p.words[2])
	}
	p.hash = h
}
