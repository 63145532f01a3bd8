package simulate

import (
	"github.com/go-tenure/tenure/fsm"
)

// Coverage is what a campaign of schedules, or an exploration, has met, as sets of bits.
type Coverage struct {
	moves  [4]uint32               // by state, a bit for each reason of a move out of it
	cells  [4][inputKinds]faultSet // by state and kind of input, the faults that were active then
	after  [faultKinds]faultSet    // by fault, those that struck while it was active
	faults faultSet                // those that took effect
	duties uint32                  // a bit for each duty that was met
}

func (v *Coverage) move(from fsm.State, r fsm.Reason) { v.moves[from] |= 1 << r }

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
		if v.faults.has(k) {
			met = append(met, k)
		}
	}
	return met
}

// Duty is something rare that a campaign must have seen, or it has shown less than it seems to: chaos that never
// happened proves nothing.
type Duty uint8

const (
	// WonUnheard: an Acquire won, its answer never came, and the lease was settled by a later request.
	WonUnheard Duty = iota
	// LastRetry: a renewal succeeded when there was no time left for another.
	LastRetry
	// LostWindingDown: the lease was lost, or ran out, while the work of a leader that left of its own will wound down.
	LostWindingDown
	// RaceLost: an Acquire was refused because another had been granted since it was sent.
	RaceLost
	// HandedBack: a grant came when it was no longer awaited, and was released again.
	HandedBack
	// LateAfterStop: a grant came after the election was asked to stop.
	LateAfterStop
	// FencedOff: the fenced resource refused the write of a leader that had stood still.
	FencedOff
	// SettledStop: a node that was stopped in doubt found that it had won, and released the lease.
	SettledStop
	// Overran: work went on for longer than it may.
	Overran
	// StaleRefusal: an Acquire was refused for a tenure whose end the node had seen before the refusal came.
	StaleRefusal

	duties = iota
)

var dutyNames = [duties]string{
	"won unheard", "last retry", "lost while winding down", "race lost", "late grant handed back", "late grant after stop",
	"paused leader fenced off", "stopped in doubt and released", "overran",
	"refused for a tenure that is over",
}

// String says in a few words what the duty is.
func (d Duty) String() string {
	if int(d) < duties {
		return dutyNames[d]
	}
	return "unknown duty"
}

func (v *Coverage) duty(d Duty) { v.duties |= 1 << d }

// Met reports whether d was met.
func (v *Coverage) Met(d Duty) bool { return v.duties>>d&1 != 0 }

// Unmet returns the duties that were not met. In a campaign of some thousand schedules of three nodes or more, without
// a timing that rules one of them out, there should be none.
func (v *Coverage) Unmet() []Duty {
	var unmet []Duty
	for d := range Duty(duties) {
		if !v.Met(d) {
			unmet = append(unmet, d)
		}
	}
	return unmet
}
