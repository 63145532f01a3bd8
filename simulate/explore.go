package simulate

import "sync"

// Explore visits every state that the world can reach, the nearest first, and checks every rule on the way. It ends at
// the first violation, with a shortest path to it. States are told apart by a hash of 64 bits: with n states the chance
// that two were taken for one is about n²/2⁶⁵. It uses as many processors as there are, and finds the same in the same
// order on any number of them. The error names every fault of s.
func (s Small) Explore() (Explored, error) {
	if err := s.Check(); err != nil {
		return Explored{}, err
	}
	x := newExplorer(s.complete())
	x.run()
	return x.r, nil
}

// explorer walks the graph of states breadth first, a layer of equally near states after the other. Scouts find what
// the states of a layer lead to, a portion each at the same time; what they found is taken in by one, in order.
type explorer struct {
	s      Small
	r      Explored
	seen   table
	layer  []uint64 // packed states, one after the other
	next   []uint64
	from   origins
	base   int // number of the first state of the layer
	taken  int // portions
	scouts []*scout
}

// origin is how a state was found first.
type origin struct {
	parent uint32
	event  event
}

// origins is that of every state. It grows without being copied.
type origins [][]origin

const originsEach = 1 << 16

func (o *origins) add(from origin) {
	if k := len(*o); k == 0 || len((*o)[k-1]) == originsEach {
		*o = append(*o, make([]origin, 0, originsEach))
	}
	last := &(*o)[len(*o)-1]
	*last = append(*last, from)
}

func (o origins) of(i int) origin { return o[i/originsEach][i%originsEach] }

func newExplorer(s Small) *explorer {
	x := &explorer{s: s}
	x.r.Failover = -1
	return x
}

func (x *explorer) run() {
	for range processors() {
		x.scouts = append(x.scouts, newScout(&x.s))
	}
	var first batch
	x.scouts[0].begin(&first)
	for going := x.take(&first); len(x.next) > 0; {
		x.layer, x.next = x.next, x.layer[:0]
		if !going || x.s.MaxDepth > 0 && x.r.Depth >= x.s.MaxDepth {
			return
		}
		states := len(x.layer) / x.s.words()
		if going = x.leave(states); !going {
			return
		}
		x.base += states
		if len(x.next) > 0 {
			x.r.Depth++
		}
	}
	x.r.Complete = true
}

// portion is how many states a scout leaves before it hands over what it has found.
const portion = 256

// leave finds what the states of the layer lead to, and reports whether to go on.
func (x *explorer) leave(states int) bool {
	portions := (states + portion - 1) / portion
	scouts := x.scouts[:min(len(x.scouts), portions)]
	if len(scouts) == 1 {
		for k := range portions {
			x.scouts[0].leave(x.layer, k, x.scouts[0].batches[0])
			if !x.take(x.scouts[0].batches[0]) {
				return false
			}
		}
		return true
	}
	var all sync.WaitGroup
	defer all.Wait()
	for i, scout := range scouts {
		scout.free, scout.done = make(chan *batch, 2), make(chan *batch, 2) // nobody waits to send: there are two
		scout.free <- scout.batches[0]
		scout.free <- scout.batches[1]
		defer close(scout.free)
		all.Go(func() {
			for k := i; k < portions; k += len(scouts) {
				b := <-scout.free
				if b == nil {
					return
				}
				scout.leave(x.layer, k, b)
				scout.done <- b
			}
		})
	}
	for k := range portions {
		scout := scouts[k%len(scouts)]
		b := <-scout.done
		if !x.take(b) {
			return false
		}
		scout.free <- b
	}
	return true
}

// take takes in what a scout has found, and reports whether to go on.
func (x *explorer) take(b *batch) bool {
	x.seen.touch(b.hashes)
	words := x.s.words()
	for i, h := range b.hashes {
		if !x.seen.add(h) {
			continue
		}
		x.r.States++
		x.next = append(x.next, b.words[i*words:(i+1)*words]...)
		x.from.add(origin{parent: uint32(x.base) + b.from[i].parent, event: b.from[i].event})
		if x.r.States >= x.s.MaxStates {
			return false
		}
	}
	x.r.Steps += b.steps
	x.r.Failover = max(x.r.Failover, b.failover)
	x.r.Coverage.add(&b.coverage)
	if b.violation.Rule != "" {
		x.r.Violation = b.violation
		x.r.Path = append(x.path(x.base+b.at), b.last.String(), b.violation.Text)
		return false
	}
	x.r.Frontier = x.r.States - x.base - b.left
	x.taken++
	return x.s.Progress == nil || x.taken%256 != 0 || x.s.Progress(x.r)
}

// path is the way to state number i, in words.
func (x *explorer) path(i int) []string {
	if i == 0 {
		return nil
	}
	from := x.from.of(i)
	return append(x.path(int(from.parent)), from.event.String())
}
