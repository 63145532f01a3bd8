package simulate

import (
	"fmt"
	"runtime"

	"github.com/go-tenure/tenure/fsm"
)

// scout finds what states lead to. It unpacks one, and has one event after the other happen to it, each time taking
// back what the event has changed.
type scout struct {
	s     *Small
	t     *fsm.Timing
	home  smallWorld  // the state that is being left
	w     smallWorld  // the state that it is now
	kept  packedWorld // home
	fresh packedWorld // w
	out   *batch
	raw   *raw // if not nil: see there

	batches    [2]*batch
	free, done chan *batch
}

// packedWorld is a state in words; see there.
type packedWorld struct {
	nodes [smallNodes]packed
	rest  packed
	hash  uint64 // the sum of all
}

// batch is what a scout has found in one portion of a layer.
type batch struct {
	hashes []uint64
	words  []uint64 // of the states, one after the other
	from   []origin // with numbers within the layer

	left      int // how many states of the layer have been left, up to here
	steps     int
	failover  int
	coverage  Coverage
	violation Violation
	at        int   // number within the layer of the state that led to it,
	last      event // by this event
}

// raw has an exploration leave nothing out: instants are those since the start, terms and numbers of calls are what
// they are, and messages to which nobody listens stay. States are told apart by all that is in them.
type raw struct {
	seen map[smallWorld]bool
	next []smallWorld
}

func newScout(s *Small) *scout {
	return &scout{s: s, t: &s.Timing, batches: [2]*batch{{}, {}}}
}

// processors is how many scouts there are.
func processors() int { return min(runtime.GOMAXPROCS(0), 16) }

func (b *batch) reset() {
	*b = batch{hashes: b.hashes[:0], words: b.words[:0], from: b.from[:0], failover: -1}
}

// begin finds the first state.
func (x *scout) begin(b *batch) {
	b.reset()
	x.out = b
	start := x.s.start()
	x.enter(&start)
	x.kept.hash = 0 // it is not known yet
	x.found(event{do: begins}, everyone)
}

// leave fills b with what the k-th portion of layer leads to.
func (x *scout) leave(layer []uint64, k int, b *batch) {
	b.reset()
	x.out = b
	words := x.s.words()
	last := min((k+1)*portion, len(layer)/words)
	for b.at = k * portion; b.at < last; b.at++ {
		x.unpack(layer[b.at*words : (b.at+1)*words])
		if x.expand(); b.violation.Rule != "" {
			break
		}
	}
	b.left = b.at
}

// unpack goes to the state p.
func (x *scout) unpack(p []uint64) {
	w, k := &x.home, &x.kept
	words := x.s.nodeWords()
	copy(k.rest.words[:], p[x.s.Nodes*words:])
	w.surroundings.unpack(&k.rest)
	k.rest.rehash(0, restWords)
	k.hash = k.rest.hash
	for i := range x.s.Nodes {
		n := &k.nodes[i]
		copy(n.words[:], p[i*words:(i+1)*words])
		w.nodes[i].unpack(n, x.t)
		if words == maxWords {
			w.nodes[i].unpackRegister(n)
		} else {
			w.nodes[i].unpackMail(n)
		}
		w.store.assume(int8(i), n.words[1])
		n.rehash(x.place(i), words)
		k.hash += n.hash
	}
	x.w = x.home
}

// enter goes to the state w, which has not been packed.
func (x *scout) enter(w *smallWorld) {
	x.home, x.w, x.kept = *w, *w, packedWorld{}
	for i := range x.s.Nodes {
		x.kept.nodes[i].rehash(x.place(i), x.s.nodeWords())
	}
	x.pack(everyone)
	x.kept = x.fresh
}

// place is the place of node i as far as it makes a difference.
func (x *scout) place(i int) int {
	if x.s.NoSymmetry {
		return i + 1
	}
	return 1
}

// Instead of the node that an event has changed.
const (
	nobody   = -1
	everyone = -2
)

// found takes in the state that e has led to, and goes back to the one that is being left. Of the nodes, e has changed
// the changed one at most, apart from who holds the lease.
func (x *scout) found(e event, changed int8) {
	w, b := &x.w, x.out
	if b.steps++; b.violation.Rule != "" && b.last == (event{}) {
		b.last = e
	}
	if x.raw != nil {
		x.raw.found(w)
		changed = everyone // what is kept names terms by their ranks
	}
	if w.store.version != x.home.store.version {
		changed = everyone
	}
	x.pack(changed)
	if p, words := &x.fresh, x.s.nodeWords(); p.hash != x.kept.hash {
		b.hashes = append(b.hashes, max(p.hash, 1)) // 0 marks a free place in the table
		b.from = append(b.from, origin{parent: uint32(b.at), event: e})
		for i := range x.s.Nodes {
			b.words = append(b.words, p.nodes[i].words[:words]...)
		}
		b.words = append(b.words, p.rest.words[:restWords]...)
	}
	w.surroundings = x.home.surroundings
	switch {
	case changed >= 0:
		w.nodes[changed] = x.home.nodes[changed]
	case changed == everyone:
		x.w = x.home
	}
}

// pack makes fresh what w is packed.
func (x *scout) pack(changed int8) {
	w, p, words := &x.w, &x.fresh, x.s.nodeWords()
	p.rest = x.kept.rest
	if w.surroundings != x.home.surroundings || changed == everyone {
		w.surroundings.pack(&p.rest)
	}
	held := p.rest.terms
	for i := range x.s.Nodes {
		n := &p.nodes[i]
		if *n = x.kept.nodes[i]; changed == int8(i) || changed == everyone {
			if w.nodes[i].pack(n, w.now); words == maxWords {
				w.nodes[i].packRegister(n, w.now, x.s, &w.store)
			}
		}
		held |= n.terms
	}
	if !held.dense() { // a term is no more, or not ranked yet
		for i := range x.s.Nodes {
			if p.nodes[i].ranked(held); words == maxWords {
				p.nodes[i].rankedRegister(held)
			} else {
				p.nodes[i].rankedMail(held)
			}
		}
		p.rest.rankedRest(held)
	}
	if p.rest.words != x.kept.rest.words {
		p.rest.rehash(0, restWords)
	}
	p.hash = p.rest.hash
	for i := range x.s.Nodes {
		n := &p.nodes[i]
		n.words[1] = n.words[1]&^(holderBit|formerBit|writerBit) | w.store.claims(int8(i))
		if n.words != x.kept.nodes[i].words {
			n.rehash(x.place(i), words)
		}
		p.hash += n.hash
	}
}

func (r *raw) found(w *smallWorld) {
	if !r.seen[*w] {
		r.seen[*w] = true
		r.next = append(r.next, *w)
	}
}

func (x *scout) fail(rule, format string, args ...any) {
	if b := x.out; b.violation.Rule == "" {
		b.violation = Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
	}
}
