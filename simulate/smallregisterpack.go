package simulate

import "github.com/go-tenure/tenure/fsm"

// Over a register a node packs into three words: the machine; what is around it, its sight and its strays; its client.
// Of versions only what a node can tell is kept: whether one is that of the register, and which of its own are equal.

// Where the parts begin: of the second word after what every node has,
const (
	sightAt = 14
	sinceAt = sightAt + bodyBits
	strayAt = sinceAt + 6 // two strays
)

// of the third word, with another body at its end,
const (
	phaseAt  = 2
	writesAt = 5
	callAt   = 8
	sentAt   = 13
	onAt     = 18
	foundAt  = 21
)

// of a body, and of a stray.
const (
	bodyHolderAt = 3
	bodyTermAt   = 5
	bodyMineAt   = 10
	bodyBits     = 11

	strayTermAt   = 2
	strayMineAt   = 7
	strayFormerAt = 8
	strayBits     = 9
)

// presentVersion is the version that the register has in a state that was unpacked, if it has one.
const presentVersion = 5

// known are the versions that one node can tell apart, apart from that of the register.
type known struct {
	present uint8
	old     [3]uint8
}

// code is 0 for no version, 1 for that of the register, and then by the order in which a node's are asked for.
func (k *known) code(v uint8) uint64 {
	switch v {
	case 0:
		return 0
	case k.present:
		return 1
	}
	for i := range k.old {
		if k.old[i] == 0 {
			k.old[i] = v
		}
		if k.old[i] == v {
			return uint64(i + 2)
		}
	}
	panic("simulate: a node of a small world knows of four old versions")
}

// versionOf is the version with a code in a state that was unpacked.
func versionOf(code uint64) uint8 {
	if code == 1 {
		return presentVersion
	}
	return uint8(max(code, 1) - 1)
}

func (b *smallBody) pack(k *known) uint64 {
	p := k.code(b.version) | uint64(b.holder)<<bodyHolderAt | uint64(b.term)<<bodyTermAt
	if b.mine {
		p |= 1 << bodyMineAt
	}
	return p
}

func unpackBody(p uint64) smallBody {
	return smallBody{
		version: versionOf(p & 7), holder: relation(p >> bodyHolderAt & 3), term: smallTerm(p >> bodyTermAt & fiveBits),
		mine: p>>bodyMineAt&1 != 0,
	}
}

// forget takes out of c what nobody will look at.
func (c *errand) forget() {
	if c.op == fsm.Acquire {
		c.term = 0
	}
	switch c.phase {
	case hasRead:
	case hasWritten:
		c.writes, c.term, c.sent = 0, 0, 0
	default:
		c.found = smallBody{}
	}
	if c.writes == 0 {
		c.on = 0
	}
}

// forgetSight takes out of s what nobody will look at: who waits needs to know since when another's record has been
// there; who leads need not look before it writes to its own.
func (n *smallNode) forgetSight(s *smallSight, present uint8) {
	c := &n.client
	there := s.version == present || c.op != fsm.NoCall && c.phase == hasRead && s.version == c.found.version
	switch {
	case there && (s.holder == another || s.holder == before):
	case s.holder == us && n.up && smallTerm(n.m.Term()) == s.term && n.m.State() >= fsm.Leader:
	default:
		*s = smallSight{}
	}
}

// packRegister adds to p what a node has over a register.
func (n *smallNode) packRegister(p *packed, now fsm.Instant, s *Small, store *smallStore) {
	k := known{present: store.version}
	sight, c := n.sight, n.client
	c.forget()
	n.forgetSight(&sight, store.version)
	age := uint64(0)
	if sight.holder == another || sight.holder == before {
		age = uint64(min(int64(now)-int64(sight.since), int64(s.Timing.TTL)))
	}
	p.words[1] |= sight.pack(&k)<<sightAt | age<<sinceAt
	p.terms.add(uint64(sight.term))
	strays := n.strays
	if strays[0].op == fsm.NoCall {
		strays[0], strays[1] = strays[1], strays[0]
	}
	for i, o := range strays {
		if o.op != fsm.NoCall {
			p.words[1] |= (uint64(o.op) | uint64(o.term)<<strayTermAt | bitsOf(o.mine, o.former)<<strayMineAt) <<
				(strayAt + i*strayBits)
			p.terms.add(uint64(o.term))
		}
	}
	p.words[2] = uint64(c.op) | uint64(c.phase)<<phaseAt | uint64(c.writes)<<writesAt | uint64(c.term)<<callAt |
		uint64(c.sent)<<sentAt | c.found.pack(&k)<<foundAt | k.code(c.on)<<onAt
	p.terms.add(uint64(c.term))
	p.terms.add(uint64(c.sent))
	p.terms.add(uint64(c.found.term))
}

// unpackRegister is the opposite.
func (n *smallNode) unpackRegister(p *packed) {
	b := p.words[1]
	n.sight = smallSight{smallBody: unpackBody(b >> sightAt), since: -int16(b >> sinceAt & sixBits)}
	p.terms.add(uint64(n.sight.term))
	for i := range n.strays {
		o := b >> (strayAt + i*strayBits)
		n.strays[i] = stray{
			op: fsm.Op(o & 3), term: smallTerm(o >> strayTermAt & fiveBits), mine: o>>strayMineAt&1 != 0,
			former: o>>strayFormerAt&1 != 0,
		}
		p.terms.add(uint64(n.strays[i].term))
	}
	c := p.words[2]
	n.client = errand{
		op: fsm.Op(c & 3), phase: phase(c >> phaseAt & 7), writes: uint8(c >> writesAt & 7),
		term: smallTerm(c >> callAt & fiveBits), sent: smallTerm(c >> sentAt & fiveBits), on: versionOf(c >> onAt & 7),
		found: unpackBody(c >> foundAt),
	}
	p.terms.add(uint64(n.client.term))
	p.terms.add(uint64(n.client.sent))
	p.terms.add(uint64(n.client.found.term))
}

// rankedRegister has p, a node over a register, name terms by their rank in s.
func (p *packed) rankedRegister(s terms) {
	s.rankAt(&p.words[1], sightAt+bodyTermAt)
	s.rankAt(&p.words[1], strayAt+strayTermAt)
	s.rankAt(&p.words[1], strayAt+strayBits+strayTermAt)
	for _, i := range [...]int{callAt, sentAt, foundAt + bodyTermAt} {
		s.rankAt(&p.words[2], i)
	}
}
