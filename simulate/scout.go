package simulate

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/go-tenure/tenure/fsm"
)

// scout finds what states lead to. It unpacks one, and has one event after the other happen to it, each time taking
// back what the event has changed.
type scout struct {
	s     *Small
	t     *fsm.Timing
	home  smallWorld  // the state that is being left
	w     smallWorld  // the state that it is now
	words int         // of a packed node
	kept  packedWorld // home
	fresh packedWorld // w
	out   *batch
	raw   *raw // if not nil: see there

	habits  [habits]habit
	habit   *habit         // where to remember the event at hand; nil: nowhere
	pending uint32         // that event
	known   bool           // what it makes of its node was remembered
	looked  bool           // it was checked against what is around its node
	lately  [recent]uint64 // hashes of states that were handed over, at random places: most are found again soon

	batches    [2]*batch
	free, done chan *batch
}

// recent is how many hashes a scout remembers.
const recent = 1 << 13

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
	x := &scout{s: s, t: &s.Timing, words: s.nodeWords(), batches: [2]*batch{{}, {}}}
	for i := range x.kept.nodes {
		x.kept.nodes[i].rehash(x.place(i), x.words)
	}
	x.fresh = x.kept
	return x
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

// unpack goes to the state p. Most of its nodes are as they were in the state before: those are left alone.
func (x *scout) unpack(p []uint64) {
	w, k := &x.home, &x.kept
	copy(k.rest.words[:], p[x.s.Nodes*x.words:])
	w.surroundings.unpack(&k.rest)
	k.rest.rehash(0, restWords)
	k.hash = k.rest.hash
	for i := range x.s.Nodes {
		n := &k.nodes[i]
		var words [maxWords]uint64
		copy(words[:], p[i*x.words:(i+1)*x.words])
		if n.words != words {
			n.words = words
			if w.nodes[i].unpack(n, x.t); x.words == maxWords {
				w.nodes[i].unpackRegister(n)
			} else {
				w.nodes[i].unpackMail(n)
			}
			n.rehash(x.place(i), x.words)
			x.w.nodes[i], x.fresh.nodes[i] = w.nodes[i], *n
		}
		w.store.assume(int8(i), words[1])
		k.hash += n.hash
	}
	x.w.surroundings, x.fresh.rest = w.surroundings, k.rest
}

// enter goes to the state w, which has not been packed.
func (x *scout) enter(w *smallWorld) {
	x.home, x.w = *w, *w
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
	known, all := x.known, x.pack(changed)
	x.remember(changed, all)
	if h := max(x.fresh.hash, 1); h != x.kept.hash && x.lately[h%recent] != h { // 0 marks a free place in the table
		x.lately[h%recent] = h
		b.hashes = append(b.hashes, h)
		b.from = append(b.from, origin{parent: uint32(b.at), event: e})
		x.write(b)
	}
	w.surroundings = x.home.surroundings
	x.fresh.rest = x.kept.rest
	switch {
	case changed == everyone:
		x.back()
	case changed >= 0:
		if !known {
			w.nodes[changed] = x.home.nodes[changed]
		}
		x.fresh.nodes[changed] = x.kept.nodes[changed]
	}
	if all {
		x.fresh = x.kept
	}
}

// write adds fresh to what b holds.
func (x *scout) write(b *batch) {
	end := len(b.words)
	b.words = slices.Grow(b.words, x.s.words())[:end+x.s.words()]
	to := b.words[end:]
	for i := range x.s.Nodes {
		n := &x.fresh.nodes[i].words
		if to[0], to[1] = n[0], n[1]; x.words == maxWords {
			to[2] = n[2]
		}
		to = to[x.words:]
	}
	to[0], to[1] = x.fresh.rest.words[0], x.fresh.rest.words[1]
}

// back goes back to the state that is being left.
func (x *scout) back() {
	x.w.now, x.w.surroundings = x.home.now, x.home.surroundings
	for i := range x.s.Nodes {
		x.w.nodes[i] = x.home.nodes[i]
	}
}

// pack makes of fresh, which is as kept, what w is packed, and reports whether more than one node may have changed.
func (x *scout) pack(changed int8) (all bool) {
	w, p := &x.w, &x.fresh
	if w.surroundings != x.home.surroundings || changed == everyone {
		w.surroundings.pack(&p.rest)
	}
	held := p.rest.terms
	for i := range x.s.Nodes {
		n := &p.nodes[i]
		if changed == int8(i) && !x.known || changed == everyone {
			if w.nodes[i].pack(n, w.now); x.words == maxWords {
				w.nodes[i].packRegister(n, w.now, x.s, &w.store)
			}
		}
		held |= n.terms
	}
	if all = changed == everyone || w.store.holder != x.home.store.holder || w.store.by != x.home.store.by; !held.dense() {
		all = true // a term is no more, or not ranked yet
		x.rank(held)
	}
	if p.rest.words != x.kept.rest.words {
		p.rest.rehash(0, restWords)
	}
	p.hash = p.rest.hash
	for i := range x.s.Nodes {
		n := &p.nodes[i]
		if all || changed == int8(i) && !x.known {
			n.words[1] = n.words[1]&^(holderBit|formerBit|writerBit) | w.store.claims(int8(i))
			if n.words != x.kept.nodes[i].words {
				n.rehash(x.place(i), x.words)
			} else {
				n.hash = x.kept.nodes[i].hash
			}
		}
		p.hash += n.hash
	}
	return all
}

// rank has fresh name the terms that are held by their ranks.
func (x *scout) rank(held terms) {
	for i := range x.s.Nodes {
		n := &x.fresh.nodes[i]
		if n.ranked(held); x.words == maxWords {
			n.rankedRegister(held)
		} else {
			n.rankedMail(held)
		}
	}
	x.fresh.rest.rankedRest(held)
}

func (r *raw) found(w *smallWorld) {
	if !r.seen[*w] {
		r.seen[*w] = true
		r.next = append(r.next, *w)
	}
}

func (x *scout) fail(rule, format string, args ...any) {
	x.looked = true
	if b := x.out; b.violation.Rule == "" {
		b.violation = Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
	}
}
