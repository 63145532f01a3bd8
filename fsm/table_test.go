package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	looplab "github.com/looplab/fsm"
)

// recorder is a set of actions that write down that they ran.
func recorder(ran *[]string) Actions {
	var a Actions
	note := func(what string) Action {
		return func(m Move, subject any) {
			*ran = append(*ran, fmt.Sprintf("%s %v-%v-%v %v", what, m.From, m.Reason, m.To, subject))
		}
	}
	for s := range State(states) {
		a.Leave[s], a.Enter[s] = note("leave "+s.String()), note("enter "+s.String())
	}
	a.Moved = note("moved")
	return a
}

func TestATableRunsEveryLegalMoveAndNoOther(t *testing.T) {
	var ran []string
	table := NewTable(recorder(&ran)) // one for all, so that an illegal move must leave no trace in it
	legal := 0
	for from := range State(states) {
		for reason := range Reason(reasons) {
			for to := range State(states) {
				m := Move{from, reason, to}
				name := fmt.Sprintf("%v-%v-%v", from, reason, to)
				ran = nil
				err := table.Fire(m, "billing")
				if !slices.Contains(Moves(), m) {
					if err == nil || !strings.Contains(err.Error(), from.String()+" -> "+to.String()+" ("+reason.String()+")") {
						t.Errorf("%s: the error is %v", name, err)
					}
					if len(ran) > 0 {
						t.Errorf("%s is illegal, and runs %q", name, ran)
					}
					continue
				}
				legal++
				want := []string{
					fmt.Sprintf("leave %v %s billing", from, name),
					fmt.Sprintf("enter %v %s billing", to, name),
					"moved " + name + " billing",
				}
				if err != nil || !slices.Equal(ran, want) {
					t.Errorf("%s: ran %q, want %q; error %v", name, ran, want, err)
				}
			}
		}
	}
	if legal != len(moves) {
		t.Errorf("%d legal moves, %d in the table", legal, len(moves))
	}
}

func TestATableWithoutActionsMoves(t *testing.T) {
	table := NewTable(Actions{})
	for _, m := range Moves() {
		if err := table.Fire(m, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestAMoveOutsideTheTableIsAnErrorThatNamesItsCause(t *testing.T) {
	table := NewTable(Actions{})
	var unknown looplab.UnknownEventError
	if err := table.Fire(Move{Follower, None, Leader}, nil); !errors.As(err, &unknown) {
		t.Errorf("without a reason: %v", err)
	}
	var invalid looplab.InvalidEventError
	if err := table.Fire(Move{Leader, Due, Acquiring}, nil); !errors.As(err, &invalid) {
		t.Errorf("from the wrong state: %v", err)
	}
	var canceled looplab.CanceledError
	if err := table.Fire(Move{Follower, Due, Leader}, nil); !errors.As(err, &canceled) {
		t.Errorf("to the wrong state: %v", err)
	}
	if err := table.Fire(Move{State(9), Reason(99), State(9)}, nil); err == nil {
		t.Error("states that do not exist are moved between")
	}
}

func TestMovesGivesACopy(t *testing.T) {
	Moves()[0].To = Leader
	if moves[0].To != Acquiring {
		t.Error("whoever asks for the table can change it")
	}
}

func TestEveryStateButAcquiringIsLeftByEachOfItsReasonsToOneState(t *testing.T) {
	to := map[[2]string]State{}
	for _, m := range moves {
		at := [2]string{m.From.String(), m.Reason.String()}
		if before, twice := to[at]; twice {
			t.Errorf("%v leads to %v and to %v", at, before, m.To)
		}
		to[at] = m.To
	}
}

func TestTheDiagramShowsEveryMoveAndNoOther(t *testing.T) {
	var edges []string
	for line := range strings.Lines(Mermaid()) {
		if line = strings.TrimSpace(line); strings.Contains(line, "-->") && strings.Contains(line, ":") {
			edges = append(edges, line)
		}
	}
	var want []string
	for _, m := range moves {
		want = append(want, fmt.Sprintf("%v --> %v: %v", m.From, m.To, m.Reason))
	}
	slices.Sort(edges)
	slices.Sort(want)
	if !slices.Equal(edges, want) {
		t.Errorf("the diagram has\n%s\nthe table has\n%s", strings.Join(edges, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamesAreTotalAndDistinct(t *testing.T) {
	for _, names := range [][]string{
		allNames[State](states), allNames[Reason](reasons), allNames[Kind](kinds), allNames[Op](ops),
	} {
		last := len(names) - 1
		if !strings.HasPrefix(names[last], "unknown ") {
			t.Errorf("one beyond the last is called %q", names[last])
		}
		slices.Sort(names)
		if slices.Contains(names, "") || len(slices.Compact(names)) != last+1 {
			t.Errorf("names are missing or told twice: %q", names)
		}
	}
}

// allNames are the names of all values of T and of the one after.
func allNames[T interface {
	~uint8
	fmt.Stringer
}](n int) []string {
	var names []string
	for i := range n + 1 {
		names = append(names, T(i).String())
	}
	return names
}
