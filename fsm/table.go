package fsm

import (
	"context"
	"fmt"
	"slices"

	looplab "github.com/looplab/fsm"
)

// Move is one edge of the state diagram.
type Move struct {
	From   State
	Reason Reason
	To     State
}

// moves is the table of legal moves, the only one. Machine makes exactly these, which a test proves by walking every
// reachable machine; a Table refuses all others.
var moves = [...]Move{
	{Follower, Due, Acquiring},
	{Follower, Vacant, Acquiring},
	{Acquiring, Won, Leader},
	{Acquiring, Held, Follower},
	{Acquiring, Failed, Follower},
	{Acquiring, Late, Releasing},
	{Acquiring, Paused, Releasing},
	{Acquiring, Stopped, Releasing},
	{Leader, Expired, Releasing},
	{Leader, Lost, Releasing},
	{Leader, Finished, Releasing},
	{Leader, Resigned, Releasing},
	{Leader, HandedOver, Releasing},
	{Leader, Paused, Releasing},
	{Leader, Stopped, Releasing},
	{Releasing, Released, Follower},
	{Releasing, Gone, Follower},
	{Releasing, Abandoned, Follower},
}

// Moves returns the table of legal moves, in the order of the cycle.
func Moves() []Move { return slices.Clone(moves[:]) }

// Action is what a Table runs on entering or leaving a state. subject is what was given to Fire. It runs on the
// goroutine that called Fire and must not call back into the Table.
type Action func(m Move, subject any)

// Actions of a Table. Nil ones do nothing.
type Actions struct {
	Leave [states]Action // by the state that is left, before it is left
	Enter [states]Action // by the state that is entered, after it is entered
	Moved Action         // after every move, after Enter
}

// Table runs moves: it refuses those that are not in the table of legal moves, and runs the actions of the others. It
// is a machine of github.com/looplab/fsm, which keeps no election's state from one Fire to the next, so one Table
// serves all elections of a node. It belongs to one goroutine.
type Table struct {
	machine *looplab.FSM
	move    Move // the one being made
}

// NewTable returns a Table that runs a.
func NewTable(a Actions) *Table {
	t := &Table{}
	on := looplab.Callbacks{"before_event": func(_ context.Context, e *looplab.Event) {
		if e.Dst != t.move.To.String() { // a reason fits the state, but leads elsewhere: refuse before anything is run
			e.Cancel()
		}
	}}
	add := func(when string, action Action) {
		if action != nil {
			on[when] = func(_ context.Context, e *looplab.Event) { action(t.move, e.Args[0]) }
		}
	}
	for s := range State(states) {
		add("leave_"+s.String(), a.Leave[s])
		add("enter_"+s.String(), a.Enter[s])
	}
	add("enter_state", a.Moved)
	t.machine = newMachine(on)
	return t
}

// newMachine declares the table of legal moves to looplab/fsm.
func newMachine(on looplab.Callbacks) *looplab.FSM {
	var events looplab.Events
	for _, m := range moves {
		i := slices.IndexFunc(events, func(e looplab.EventDesc) bool { return e.Name == m.Reason.String() })
		if i < 0 {
			i = len(events)
			events = append(events, looplab.EventDesc{Name: m.Reason.String(), Dst: m.To.String()})
		}
		events[i].Src = append(events[i].Src, m.From.String())
	}
	return looplab.NewFSM(Follower.String(), events, on)
}

// Fire makes the move m of subject and runs its actions. A move that is not in the table is an error that names it,
// and nothing is run: the machine that asked for it has a bug, or is not a Machine.
func (t *Table) Fire(m Move, subject any) error {
	t.move = m
	t.machine.SetState(m.From.String())
	// The context is never one that can end: looplab/fsm v1.0.3 refuses every event after one that was cut short.
	if err := t.machine.Event(context.Background(), m.Reason.String(), subject); err != nil {
		return fmt.Errorf("fsm: %s -> %s (%s) is not a legal move: %w", m.From, m.To, m.Reason, err)
	}
	return nil
}

// Mermaid returns the state diagram, in the language of mermaid.js, drawn by looplab/fsm from the table of legal moves.
// An edge is a reason.
func Mermaid() string {
	diagram, err := looplab.VisualizeWithType(newMachine(nil), looplab.MermaidStateDiagram)
	if err != nil {
		panic(err) // the type of diagram is a constant that looplab/fsm knows
	}
	return diagram
}
