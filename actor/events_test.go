package actor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// heard subscribes to all of n and returns what it has heard so far.
func (n *node) heard(o events.Options) (heard func() []events.Transition, ended <-chan struct{}) {
	n.w.Helper()
	o.Policy, o.Buffer = events.DropOldest, events.MaxBuffer
	sub, err := n.Subscribe(context.Background(), o)
	if err != nil {
		n.w.Fatal(err)
	}
	var all []events.Transition
	over := make(chan struct{})
	go func() {
		defer close(over)
		for t := range sub.All() {
			all = append(all, t)
		}
	}()
	return func() []events.Transition { n.w.pass(0); return all }, over
}

func TestEventsComeInOrderAndTheLastOnePrecedesTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		heard, over := n.heard(events.Options{})
		for i := range 3 {
			n.campaign(Election{Key: fmt.Sprint(i)})
		}
		w.pass(time.Minute)
		_ = n.Find("1").Resign()
		w.pass(time.Minute)
		n.cancel()
		w.pass(0)
		<-over
		got := heard()
		if !got[0].Snapshot || got[0].Key != "" {
			w.Errorf("the first one is %v", got[0])
		}
		w.same("what the hook was told", len(got)-1, len(n.events))
		leads := map[string]bool{}
		for i, e := range got[1:] {
			if !e.Equal(n.events[i]) || e.Seq != uint64(i+1) || e.Missed != 0 || e.Node != "a" {
				w.Errorf("event %d is %v, the hook was told %v", i+1, e, n.events[i])
			}
			if was := leads[e.Key]; was != (e.From == fsm.Leader) {
				w.Errorf("%v, though leading was %v", e, was)
			}
			leads[e.Key] = e.To == fsm.Leader
		}
		for i := range 3 {
			last := n.last(fmt.Sprint(i))
			if last.To != fsm.Follower || last.Reason != fsm.Released {
				w.Errorf("the last one of %d is %v", i, last)
			}
		}
	})
}

func TestTheEventOfTheEndPrecedesDone(t *testing.T) {
	inWorld(t, func(w *world) {
		seen := fsm.None
		n := w.node("a", nil, func(c *Config) {
			c.Hooks.Moved = func(t events.Transition) { seen = t.Reason }
		})
		c := n.campaign(Election{})
		done := c.Done()
		atDone := make(chan fsm.Reason, 1)
		go func() { <-done; atDone <- seen }()
		_ = c.Withdraw()
		w.same("last event at Done", <-atDone, fsm.Released)
	})
}

func TestTheWorkIsToldBeforeTheEventOfItsEndIsPublished(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		ends := 0
		n := w.node("a", nil, func(c *Config) {
			c.Hooks.Moved = func(t events.Transition) {
				k.mu.Lock()
				defer k.mu.Unlock()
				if t.From != fsm.Leader {
					return
				}
				if ends++; k.ctxs[len(k.ctxs)-1].Err() == nil || k.begun[len(k.begun)-1].Leading() {
					w.Errorf("%v was published before the work was told", t)
				}
			}
		})
		c := n.campaign(Election{Lead: k.lead})
		_ = c.Resign()
		w.pass(10 * time.Second)
		w.store.Assign("billing", "")
		w.pass(0)
		w.same("ends", ends, 2)
	})
}

func TestASubscriptionBeginsWithThePresentState(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		n.campaign(Election{Key: "x"})
		n.campaign(Election{Key: "y", Paused: true})
		all, _ := n.heard(events.Options{})
		one, _ := n.heard(events.Options{Key: "x"})
		states := map[string]fsm.State{}
		for _, e := range all() {
			if !e.Snapshot {
				w.Errorf("%v is no snapshot", e)
			}
			states[e.Key] = e.To
		}
		w.same("states", states, map[string]fsm.State{"x": fsm.Leader, "y": fsm.Follower})
		want := events.Transition{Seq: 2, Node: "a", Key: "x", From: fsm.Leader, To: fsm.Leader, Reason: fsm.Won, Term: 1,
			Leader: n.Holder(), At: w.start, Snapshot: true}
		if got := one(); len(got) != 1 || !got[0].Equal(want) {
			w.Errorf("of x: %v", got)
		}
	})
}

func TestEventsMayBeRangedOver(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		n.campaign(Election{})
		var got []fsm.State
		for e := range n.Events(w.Context(), events.Options{Key: "billing", Policy: events.DropOldest}) {
			got = append(got, e.To)
			if len(got) == 1 {
				_ = n.Find("billing").Resign()
			}
			if e.To == fsm.Follower {
				break
			}
		}
		w.same("states", got, []fsm.State{fsm.Leader, fsm.Releasing, fsm.Follower})
	})
}

func TestFollowersTellOfEachLeaderTheySee(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, o := w.node("a", nil), w.node("b", nil), w.node("o", nil)
		c := a.campaign(Election{})
		b.campaign(Election{})
		o.campaign(Election{Paused: true}) // an observer
		w.pass(time.Minute)
		w.same("story", o.story("billing"), []string{"sees a"})
		_ = c.HandOver()
		w.pass(time.Second)
		story := slices.DeleteFunc(o.story("billing"), func(s string) bool { return s == "sees nobody" })
		w.same("story", story, []string{"sees a", "sees b"})
		w.same("leader by Status", o.Find("billing").Status().Leader, b.Holder())
		w.same("kind", o.last("billing").Kind, events.Observed)
		w.same("calls of an observer", len(o.tap.list()), 0)
	})
}

func TestEventsCarryTheErrorBehindThem(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 1, leasetest.ErrorBefore), fault(leasetest.Renew, 0, leasetest.ErrorBefore),
			fault(leasetest.Release, 0, leasetest.LostRequest))
		n := w.node("a", struct{ lease.Manager }{m}) // no watch tells that the lease is gone
		n.campaign(Election{})
		w.pass(20 * time.Second)
		for i, want := range []string{"<nil>", "leasetest: injected fault", "<nil>", "<nil>", "leasetest: injected fault",
			`actor: release "billing": no answer in time: context deadline exceeded`} {
			if i >= len(n.events) {
				w.Fatalf("only %d events: %v", i, n.story("billing"))
			}
			w.same(n.events[i].String(), n.events[i].Err, want)
		}
	})
}
