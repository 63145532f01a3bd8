package mutants

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/simulate"
)

// answerTo is the environment variable with the file that a verdict is written to.
const answerTo = "TENURE_MUTANTS_VERDICT"

// finding is what one engine has found. The zero finding is nothing.
type finding struct {
	Rule string
	Cost int // schedules played, or states visited, until then
	Text string
}

type verdict struct{ Schedules, Worlds finding }

// TestTheElectionItselfIsFoundNotGuilty is the judge as well: built with a mutant and told where to write its verdict,
// it says which engine finds what.
func TestTheElectionItselfIsFoundNotGuilty(t *testing.T) {
	answer := os.Getenv(answerTo)
	budget := []int{200} // the whole is done without the race detector, by TestEveryMutantIsKilled
	if answer != "" {
		budget = []int{100, 1000, 10_000}
	}
	v := verdict{Schedules: schedules(t, budget), Worlds: worlds(t)}
	if answer == "" {
		if v.Schedules.Rule != "" || v.Worlds.Rule != "" {
			t.Errorf("%+v", v)
		}
		return
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(answer, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// settings are what schedules are played with.
var settings = []simulate.Scenario{
	{Nodes: 3},
	{Nodes: 3, Store: simulate.Register},
	{Nodes: 5, Timing: fsm.Timing{
		TTL: 6 * time.Second, Renew: time.Second, CallTimeout: 2 * time.Second, Retry: 500 * time.Millisecond,
		Grace: 200 * time.Millisecond,
	}},
	{Nodes: 1},
}

// schedules plays a few of each setting, then more.
func schedules(t *testing.T, budget []int) (f finding) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			f = finding{Rule: "panic", Cost: f.Cost + 1, Text: fmt.Sprint(r)}
		}
	}()
	first := 0
	for _, last := range budget {
		for k, base := range settings {
			r, err := simulate.Campaign{
				Base: base, First: uint64(k)<<32 + uint64(first), Seeds: last - first, Twice: -1,
			}.Run()
			f.Cost += r.Schedules
			if err != nil {
				t.Fatal(err)
			}
			if r.Failed != nil {
				return finding{Rule: r.Violation.Rule, Cost: f.Cost, Text: r.Violation.Text}
			}
		}
		first = last
	}
	return finding{}
}

// worlds explores small worlds, the smallest first.
func worlds(t *testing.T) (f finding) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			f = finding{Rule: "panic", Cost: f.Cost + 1, Text: fmt.Sprint(r)}
		}
	}()
	for _, s := range []simulate.Small{
		{Nodes: 1, Crashes: 1, Pauses: 1, Resigns: 1},
		{Nodes: 1, Cordons: 1, Stops: 1, News: 1},
		{Nodes: 1, Letters: 2},
		{Nodes: 2, Heal: true},
		{Nodes: 2, News: 1},
		{Nodes: 2, Resigns: 1},
		{Nodes: 1, Resigns: 1, Crashes: 1, Store: simulate.Register},
		{Nodes: 2, Pauses: 1, Store: simulate.Register, MaxStates: 600_000}, // not whole
	} {
		s.MaxStates = cmp.Or(s.MaxStates, 2_000_000)
		r, err := s.Explore()
		f.Cost += r.States
		if err != nil {
			t.Fatal(err)
		}
		if r.Violation.Rule != "" {
			return finding{Rule: r.Violation.Rule, Cost: f.Cost, Text: r.Violation.Text}
		}
	}
	return finding{}
}
