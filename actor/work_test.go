package actor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

func TestWorkThatReturnsAtOnceWithoutAnErrorIsNoHotLoop(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, do: func(*Tenure) error { return nil }}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		w.pass(0)
		w.same("story", n.story("billing"), []string{"due", "won", "finished", "released"})
		w.pass(time.Minute)
		if runs := len(k.begun); runs < 8 || runs > 12 { // once in a poll and a retry: 6 s
			w.Errorf("ran %d times in a minute", runs)
		}
		w.same("release per tenure", n.tap.count(fsm.Release), len(k.begun))
		w.same("cause", k.causes[0], &Ended{Key: "billing", Term: 1, Reason: fsm.Finished})
		_ = c
	})
}

func TestWorkThatReturnsAtOnceWithoutAnErrorLetsOthersHaveTheirTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		k, l := &work{w: w, do: func(*Tenure) error { return nil }}, &work{w: w, do: func(*Tenure) error { return nil }}
		w.node("a", nil).campaign(Election{Lead: k.lead})
		w.node("b", nil).campaign(Election{Lead: l.lead})
		w.pass(time.Minute)
		if len(k.begun) < 5 || len(l.begun) < 5 {
			w.Errorf("one ran %d times, the other %d times", len(k.begun), len(l.begun))
		}
	})
}

func TestWorkThatReturnsAtOnceWithAnErrorIsRepeatedEverMoreSlowly(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, do: func(*Tenure) error { return errors.New("out of paper") }}
		var log lines
		n := w.node("a", nil, func(c *Config) { c.Logger = log.logger() })
		c := n.campaign(Election{Lead: k.lead})
		w.same("error of the event", n.events[2].Err, "out of paper")
		first := 0
		for i := range 10 {
			before := len(k.begun)
			w.pass(time.Minute)
			if i == 0 {
				first = len(k.begun)
			} else if runs := len(k.begun) - before; i > 3 && runs > 1 {
				w.Errorf("ran %d times in minute %d", runs, i)
			}
		}
		if first < 3 || first > 5 {
			w.Errorf("ran %d times in the first minute", first)
		}
		w.same("logged", log.count("work failed"), len(k.begun))
		if err := c.Err(); err != nil {
			w.Errorf("the election has the error %v though it goes on", err)
		}
	})
}

func TestWorkThatIgnoresItsContextIsReportedAndStaysAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		free := make(chan struct{})
		k := &work{w: w, do: func(*Tenure) error { <-free; return nil }}
		other := &work{w: w}
		var log lines
		n := w.node("a", nil, func(c *Config) { c.Logger = log.logger() })
		c := n.campaign(Election{Lead: k.lead})
		d := n.campaign(Election{Key: "other", Lead: other.lead})
		w.store.Assign("billing", "")
		w.pass(3*time.Second - 1)
		w.same("overrun before the grace is over", c.Status().Overrun, false)
		w.pass(1)
		w.same("overrun", c.Status().Overrun, true)
		w.same("logged", log.count("work has not returned in time"), 1)
		w.pass(10 * time.Minute)
		w.same("story", n.story("billing"), []string{"due", "won", "lost", "overrun"})
		w.same("tenures", len(k.begun), 1)
		w.state(d, fsm.Leader)
		_ = d.Resign()
		w.pass(30 * time.Second)
		w.same("tenures of the other election", len(other.begun), 2)
		close(free)
		w.pass(2 * time.Second)
		w.same("tenures after it has returned", len(k.begun), 2)
		w.same("at once", k.most, 1)
	})
}

func TestRunWaitsForWorkThatIgnoresItsContext(t *testing.T) {
	inWorld(t, func(w *world) {
		free := make(chan struct{})
		k := &work{w: w, do: func(*Tenure) error { <-free; return nil }}
		n := w.node("a", nil)
		n.campaign(Election{Lead: k.lead})
		n.cancel()
		w.pass(5 * time.Minute)
		if n.hasEnded() {
			w.Error("Run has returned while work ran")
		}
		close(free)
		w.pass(time.Minute)
		if !n.hasEnded() || n.err != nil {
			w.Errorf("Run has not returned, or with %v", n.err)
		}
	})
}

func TestErrOverEndsTheElectionAndTheNodeGoesOn(t *testing.T) {
	why := fmt.Errorf("schema is migrated: %w", ErrOver)
	for name, test := range map[string]struct{ returned, want error }{
		"plain": {ErrOver, nil}, "wrapped": {why, why},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				k := &work{w: w, do: func(*Tenure) error { return test.returned }}
				n := w.node("a", nil)
				other := n.campaign(Election{Key: "other"})
				c := n.campaign(Election{Lead: k.lead})
				w.pass(0)
				select {
				case <-c.Done():
				default:
					w.Fatal("the election is not over")
				}
				w.same("error", c.Err(), test.want)
				w.same("found", n.Find("billing"), (*Campaign)(nil))
				w.same("story", n.story("billing"), []string{"due", "won", "finished", "released"})
				w.pass(time.Minute)
				w.same("tenures", len(k.begun), 1)
				w.state(other, fsm.Leader)
				again := n.campaign(Election{}) // the key is free for another campaign
				w.pass(0)
				w.state(again, fsm.Leader)
			})
		})
	}
}

func TestErrOverAfterTheWorkWasToldToStopEndsTheElectionAsWell(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: func(ctx ctx, _ *Tenure) error {
			<-ctx.Done()
			return ErrOver
		}})
		_ = c.Resign()
		w.pass(0)
		<-c.Done()
	})
}

func TestWorkThatEndsItsGoroutineIsTakenForAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, do: func(*Tenure) error { runtime.Goexit(); return nil }}
		n := w.node("a", nil)
		n.campaign(Election{Lead: k.lead})
		w.same("story", n.story("billing"), []string{"due", "won", "finished", "released"})
		if err := n.events[2].Err; err == nil {
			w.Error("the event has no error")
		}
	})
}

func TestTheContextOfWorkHasTheValuesOfRunsContextAndATypedCause(t *testing.T) {
	inWorld(t, func(w *world) {
		type name struct{}
		var seen any
		var cause error
		n := w.make("a", nil)
		n.run(context.WithValue(w.Context(), name{}, "ann"))
		n.campaign(Election{Lead: func(ctx ctx, _ *Tenure) error {
			seen = ctx.Value(name{})
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil
		}})
		n.cancel()
		w.pass(0)
		var ended *Ended
		if !errors.As(cause, &ended) || *ended != (Ended{Key: "billing", Term: 1, Reason: fsm.Stopped}) {
			w.Errorf("the cause is %v", cause)
		}
		w.same("value", seen, "ann")
		w.same("text", cause, `actor: term 1 of "billing" ended: stopped`)
	})
}

func TestAnElectionWithoutWorkIsOnlyAnnouncedAndLeavingItTakesNoTime(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		c := n.campaign(Election{})
		if err := c.Check(w.Context()); err != nil {
			w.Error(err)
		}
		_ = c.HandOver()
		w.pass(0)
		w.same("story", n.story("billing"), []string{"due", "won", "handed_over", "released"})
		if err := c.Check(w.Context()); !errors.Is(err, ErrNotLeading) {
			w.Errorf("Check says %v", err)
		}
		w.pass(29 * time.Second)
		w.state(c, fsm.Follower) // nobody else has led, so it stands back for two TTLs
		w.pass(time.Second)
		w.state(c, fsm.Leader)
		w.same("term", c.Status().Term, lease.Term(2))
	})
}
