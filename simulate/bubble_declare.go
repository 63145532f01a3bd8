package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
)

type task struct {
	at time.Duration
	do func()
}

// Lead declares the election: its key, and the work that each node does while it leads, as in [actor.Election]. One
// World has one election.
func (w *World) Lead(key string, work func(ctx context.Context, t *actor.Tenure) error) {
	switch {
	case work == nil:
		w.wrongly("Lead(%q) without work; give a function", key)
	case w.lead != nil:
		w.wrongly("Lead(%q) after Lead(%q); a bubble plays one election", key, w.key)
	default:
		w.key, w.lead = key, work
	}
	if err := lease.CheckKey(key); err != nil {
		w.wrongly("Lead: %v", err)
	}
}

// Configure has f called for each process that starts, before it does, to give it what the user's own processes have:
// a logger, hooks, metadata, a heartbeat (which must return nil). What decides the election stays as it is: f may not
// choose Name, Manager, Clock and Seed of the node, nor Key, Lead, Paused and the timing of the election.
func (w *World) Configure(f func(node int, c *actor.Config, e *actor.Election)) { w.configure = f }

// FencedStore declares something that the work writes to, which refuses writes under a smaller term than it has seen.
func (w *World) FencedStore(name string) *Resource { return &Resource{w: w, name: name, fenced: true} }

// UnfencedStore declares something that the work writes to, which takes every write. It shows what a fence is for.
func (w *World) UnfencedStore(name string) *Resource { return &Resource{w: w, name: name} }

// Watch lets the nodes watch the store, so that they need not wait for their next poll.
func (w *World) Watch() { w.scenario.Watch = true }

// At has faults begin at d, or as much later as their own At says: composites, such as those of [HuntLeader], count
// from d. Faults of a single request, such as LoseAnswer, hit it whenever it is made. Faults of the work end the
// context of the user's work later or earlier than the node does; see [Ignore], [ReturnSoon] and [Fails]. Back is
// refused, since clocks in a bubble have one reading only, and so are the faults of registers.
func (w *World) At(d time.Duration, faults ...Fault) {
	for _, f := range faults {
		if f.Kind > noFault && int(f.Kind) < faultKinds && shapes[f.Kind].store && f.Target == 0 {
			f.Target = TheStore
		}
		if err := playable(f); err != nil {
			w.wrongly("At(%v): %w", d, err)
		}
		if f.At += d; shapes[min(int(f.Kind), faultKinds-1)].call {
			f.At = 0
		}
		w.scenario.Faults = append(w.scenario.Faults, f)
	}
}

// playable returns why f cannot be played in a bubble, nil if it can.
func playable(f Fault) error {
	switch {
	case f.Kind == noFault || int(f.Kind) >= faultKinds:
		return fmt.Errorf("%v is no fault; set Kind", f.Kind)
	case f.Kind == Back || f.Kind == Conflict || f.Kind == Stale:
		return fmt.Errorf("%v cannot be played in a bubble; play it with simulate.Play", f.Kind)
	case shapes[f.Kind].store != (f.Target == TheStore):
		return fmt.Errorf("%v of the target %d; faults of the store, and only they, have TheStore", f.Kind, f.Target)
	case shapes[f.Kind].call && f.Call < 1:
		return fmt.Errorf("%v needs the number of a request in Call; they count from 1", f.Kind)
	case shapes[f.Kind].call && f.Target < 0:
		return fmt.Errorf("%v needs a node by number", f.Kind)
	}
	return nil
}

// Plan has faults happen that are drawn for the seed, as by the function [Plan], beside those of At: up to forty of any
// kind within the promise, between the beginning and HealAt. Expect what holds whatever goes wrong.
func (w *World) Plan() { w.planned = true }

// RestartAfter says that a panic of the work ends its process, as it does in production, and that something starts it
// again after d. Without it a panic is a violation of the rule "panic".
func (w *World) RestartAfter(d time.Duration) {
	if w.restart = d; d < 0 {
		w.wrongly("RestartAfter(%v): give a time of at least 0", d)
	}
}

// Do has f called at d, when everything is at rest. It may look at anything; what it makes nodes do (ask one to resign,
// say) must be a fault of At instead, or the nodes no longer do what the simulation says.
func (w *World) Do(d time.Duration, f func()) {
	if f == nil || d < 0 {
		w.wrongly("Do(%v): give a function and a time of at least 0", d)
		return
	}
	w.tasks = append(w.tasks, task{d, f})
}

// HealAt says when all faults end. See Scenario.Heal for when it is not said.
func (w *World) HealAt(d time.Duration) { w.scenario.Heal = d }

// Until says when the schedule ends. See Scenario.End for when it is not said. All nodes are stopped then, and joined.
func (w *World) Until(d time.Duration) { w.scenario.End = d }

// Expect has e checked when the schedule has ended. All that fail are reported.
func (w *World) Expect(e ...Expectation) { w.expect = append(w.expect, e...) }

// ExpectViolation says that the rule is violated by at least one seed, which is then no failure: a test that shows what
// happens without a fence, or that the simulation notices what it should. rule is the name of a rule or of an
// expectation, as a report has it: "R1", "OneWriter". It must be violated in fact, and nothing else may be.
func (w *World) ExpectViolation(rule string) { w.foreseen = append(w.foreseen, rule) }

func (w *World) wrongly(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Errorf("simulate: "+format, args...))
}

// complete checks what was declared and returns every fault of it.
func (w *World) complete() []error {
	if w.lead == nil && len(w.wrong) == 0 {
		w.wrongly("nothing to lead; call Lead with a key and the work")
	}
	if slices.ContainsFunc(w.expect, func(e Expectation) bool { return e == nil }) {
		w.wrongly("Expect(nil); give an Expectation")
	}
	if w.script != nil {
		w.scenario, w.planned = *w.script, false
	}
	if w.scenario.Store == Register {
		w.wrongly("store %v; a bubble has an expiring or a forgetful one", w.scenario.Store)
	}
	faults := w.wrong
	if err := w.scenario.Check(); err != nil {
		faults = append(faults, err)
	}
	w.scenario = w.scenario.complete()
	for _, f := range w.scenario.Faults {
		if f.At >= w.scenario.Heal {
			faults = append(faults, fmt.Errorf("simulate: %q would begin when all has been healed, at %v; see HealAt",
				f, w.scenario.Heal))
		}
		if err := playable(f); err != nil && w.script != nil {
			faults = append(faults, fmt.Errorf("simulate: %q: %w", f, err))
		}
		if w.mocks && !onMocks(f) {
			faults = append(faults, fmt.Errorf("simulate: %q cannot be played on Mocks, which show the true time; "+
				"leave out the fault or World.Mocks", f))
		}
	}
	for _, k := range w.tasks {
		if k.at > w.scenario.End && w.script == nil {
			faults = append(faults, fmt.Errorf("simulate: Do(%v) is after the end, at %v; see Until", k.at, w.scenario.End))
		}
	}
	if w.planned && len(faults) == 0 {
		plan := Plan(w.scenario, w.scenario.Seed)
		unplayable := func(f Fault) bool { return playable(f) != nil || w.mocks && !onMocks(f) }
		w.scenario.Faults = append(w.scenario.Faults, slices.DeleteFunc(plan.Faults, unplayable)...)
		w.scenario.Watch = w.scenario.Watch || plan.Watch
	}
	return faults
}
