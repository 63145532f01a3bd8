package simulate

import (
	"github.com/go-tenure/tenure/fsm"
)

// Coverage is what a campaign of schedules has met, as sets of bits.
type Coverage struct {
	moves  [4]uint32 // by state, a bit for each reason of a move out of it
	inputs [4]uint32 // by state, a bit for each kind of input
	faults uint64    // a bit for each kind of fault that took effect
}

func (v *Coverage) move(from fsm.State, r fsm.Reason) { v.moves[from] |= 1 << r }
func (v *Coverage) step(s fsm.State, k fsm.Kind)      { v.inputs[s] |= 1 << k }

// Moves returns the moves that were made, in the order of fsm.Moves.
func (v *Coverage) Moves() []fsm.Move {
	var made []fsm.Move
	for _, m := range fsm.Moves() {
		if v.moves[m.From]&(1<<m.Reason) != 0 {
			made = append(made, m)
		}
	}
	return made
}

// Faults returns the kinds of fault that took effect.
func (v *Coverage) Faults() []FaultKind {
	var met []FaultKind
	for k := FaultKind(1); int(k) < faultKinds; k++ {
		if v.faults&(1<<k) != 0 {
			met = append(met, k)
		}
	}
	return met
}
