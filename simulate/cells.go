package simulate

import (
	"cmp"
	_ "embed"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/go-tenure/tenure/fsm"
)

// A campaign that was played without a fault in it has shown something else than one in which there were many, and a
// renewal that is refused to a leader is something else after a pause than after a lost answer. So what is counted are
// cells: the state a machine was in, what came in, and a fault that was active on its node. How many cells there are
// says little, since most cannot be reached; what does say something is how many of those that can be reached were.
// Those are known from exploring small worlds whole: see [Reachable].

// inputKinds is how many kinds of input there are.
const inputKinds = int(fsm.Stop) + 1

// faultSet is a set of kinds of fault, a bit each. That of no fault at all stands for itself.
type faultSet uint64

func (s faultSet) has(k FaultKind) bool { return s>>k&1 == 1 }

// Cell is a state, an input that came in it, and a fault that was active then; Fault 0: none was. A fault is active
// while it lasts, and from when it strikes a node until that node next begins to follow. One that ended a process is
// active in the next, in the same sense.
type Cell struct {
	State fsm.State
	Input fsm.Kind
	Fault FaultKind
}

// String returns the cell as three words, such as "leader refused lose-answer".
func (c Cell) String() string { return fmt.Sprintf("%v %v %v", c.State, c.Input, c.Fault) }

// Pair is a fault that struck a node while another was active on it.
type Pair struct{ First, Then FaultKind }

// String returns the pair in words, such as "pause, then lose-answer".
func (p Pair) String() string { return fmt.Sprintf("%v, then %v", p.First, p.Then) }

// matters reports whether in makes a cell with m. An answer that is no longer awaited changes nothing, unless it grants
// a lease.
func matters(in *fsm.Input, m *fsm.Machine) bool {
	if in.Kind != fsm.Granted && in.Kind != fsm.Refused && in.Kind != fsm.Unknown {
		return true
	}
	op, number := m.Awaits()
	return op != fsm.NoCall && in.Call == number || in.Kind == fsm.Granted && in.Op == fsm.Acquire
}

// stepped takes note of a step.
func (v *Coverage) stepped(s fsm.State, k fsm.Kind, active faultSet) {
	if active == 0 {
		active = 1 << noFault
	}
	v.cells[s][k] |= active
}

// struck takes note that k strikes where others are active.
func (v *Coverage) struck(k FaultKind, active faultSet) {
	v.faults |= 1 << k
	for rest := uint64(active); rest != 0; rest &= rest - 1 {
		v.after[bits.TrailingZeros64(rest)] |= 1 << k
	}
}

// add takes in what another has met.
func (v *Coverage) add(o *Coverage) {
	for s := range v.cells {
		v.moves[s] |= o.moves[s]
		for k := range v.cells[s] {
			v.cells[s][k] |= o.cells[s][k]
		}
	}
	for k := range v.after {
		v.after[k] |= o.after[k]
	}
	v.faults |= o.faults
	v.duties |= o.duties
}

// Cells returns the cells that were met, by state, input and fault.
func (v *Coverage) Cells() []Cell {
	var met []Cell
	for s := range v.cells {
		for k, faults := range v.cells[s] {
			for f := range FaultKind(faultKinds) {
				if faults.has(f) {
					met = append(met, Cell{fsm.State(s), fsm.Kind(k), f})
				}
			}
		}
	}
	return met
}

// Pairs returns the pairs of faults of which the second struck a node while the first was active on it.
func (v *Coverage) Pairs() []Pair {
	var met []Pair
	for first, then := range v.after {
		for k := range FaultKind(faultKinds) {
			if then.has(k) {
				met = append(met, Pair{FaultKind(first), k})
			}
		}
	}
	return met
}

// met reports whether c was met.
func (v *Coverage) met(c Cell) bool { return v.cells[c.State][c.Input].has(c.Fault) }

// Missing returns the reachable cells that were not met. Thirty thousand schedules of one node, or two hundred thousand
// of five, over a store that expires leases, leave none.
func (v *Coverage) Missing() []Cell {
	return slices.DeleteFunc(Reachable(), v.met)
}

// Unexplored returns the cells that were met and are not reachable as far as is known: those of faults that small
// worlds do not have, and those that take more of what can go wrong than the worlds that were explored.
func (v *Coverage) Unexplored() []Cell {
	known := Reachable()
	return slices.DeleteFunc(v.Cells(), func(c Cell) bool {
		_, found := slices.BinarySearchFunc(known, c, compareCells)
		return found
	})
}

func compareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Input, b.Input), cmp.Compare(a.Fault, b.Fault))
}

// reachable is every cell that an exploration of small worlds has met: by state and input, the faults. A test explores
// them again and compares.
//
//go:embed reachable.txt
var reachable string

// Reachable returns the cells that can be met, by state, input and fault, as far as small worlds show: those worlds
// were explored whole, see docs/SIMULATION.md.
func Reachable() []Cell {
	var v Coverage
	for line := range strings.Lines(reachable) {
		words := strings.Fields(line)
		s := numberOf(words[0], len(v.cells), func(i int) string { return fsm.State(i).String() })
		k := numberOf(words[1], inputKinds, func(i int) string { return fsm.Kind(i).String() })
		for _, word := range words[2:] {
			v.cells[s][k] |= 1 << numberOf(word, faultKinds, func(i int) string { return FaultKind(i).String() })
		}
	}
	return v.Cells()
}

// numberOf returns which of n has the name.
func numberOf(name string, n int, nameOf func(int) string) int {
	for i := range n {
		if nameOf(i) == name {
			return i
		}
	}
	panic("simulate: reachable.txt names " + name + ", which there is not")
}
