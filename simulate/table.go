package simulate

import "math/bits"

// table is a set of fingerprints, by open addressing with linear probing: 8 bytes a place, of which at least seven in
// ten are taken once it has grown. A fingerprint belongs at the place that is to all places what it is to all numbers;
// so the table need not be a power of two long, and growing goes through the old and the new one from front to back.
type table struct {
	places []uint64 // 0: free
	n      int
	full   int // how many make it grow
}

// add reports whether h, which is not 0, was not in the table yet.
func (t *table) add(h uint64) bool {
	if t.n == t.full {
		t.grow()
	}
	if !t.put(h) {
		return false
	}
	t.n++
	return true
}

func (t *table) put(h uint64) bool {
	for i := t.home(h); ; i++ {
		if i == len(t.places) {
			i = 0
		}
		switch t.places[i] {
		case h:
			return false
		case 0:
			t.places[i] = h
			return true
		}
	}
}

func (t *table) home(h uint64) int {
	i, _ := bits.Mul64(h, uint64(len(t.places)))
	return int(i)
}

// grow makes room for a fifth more, and begins with a page or two.
func (t *table) grow() {
	old := t.places
	t.places = make([]uint64, max(1<<10, len(old)/5*6))
	t.full = len(t.places) / 100 * 84
	for _, h := range old {
		if h != 0 {
			t.put(h)
		}
	}
}

// touch brings the places of hs into the caches of the processor, all at once, which is quicker than waiting for each
// in turn. It returns something, so that the compiler does not leave it out.
//
//go:noinline
func (t *table) touch(hs []uint64) (sum uint64) {
	if len(t.places) == 0 {
		return 0
	}
	for _, h := range hs {
		sum += t.places[t.home(h)]
	}
	return sum
}
