package actor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestASecondRunIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		if err := n.Run(w.Context()); !errors.Is(err, ErrRan) {
			w.Errorf("while it runs: %v", err)
		}
		n.cancel()
		w.pass(0)
		if err := n.Run(w.Context()); !errors.Is(err, ErrRan) || n.err != nil {
			w.Errorf("after it has run: %v; the first one: %v", err, n.err)
		}
	})
}

func TestRunWithAnEndedContextAsksNothingOfTheStoreAndEndsItsElections(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.make("a", nil)
		k := &work{w: w}
		c, err := n.Campaign(Election{Key: "billing", Lead: k.lead})
		if err != nil {
			w.Fatal(err)
		}
		ended, cancel := context.WithCancel(w.Context())
		cancel()
		n.run(ended)
		if !n.hasEnded() || n.err != nil {
			w.Fatalf("Run has not returned, or with %v", n.err)
		}
		<-c.Done()
		w.same("calls", len(n.tap.list()), 0)
		w.same("events", len(n.events), 0)
		w.same("tenures", len(k.begun), 0)
		if _, err := n.Campaign(Election{Key: "late"}); !errors.Is(err, ErrStopped) {
			w.Errorf("an election after the end: %v", err)
		}
		if err := c.Resign(); !errors.Is(err, ErrStopped) {
			w.Errorf("a request after the end: %v", err)
		}
	})
}

func TestRunReleasesAllItHoldsAndReturnsNil(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		k := &work{w: w}
		for i := range 500 {
			if _, err := n.Campaign(Election{Key: fmt.Sprint(i), TTL: ttl, Lead: k.lead}); err != nil {
				w.Fatal(err)
			}
		}
		w.pass(time.Second)
		w.same("tenures", len(k.begun), 500)
		n.cancel()
		w.pass(0)
		if !n.hasEnded() || n.err != nil {
			w.Fatalf("Run has not returned, or with %v", n.err)
		}
		for i := range 500 {
			if r, _ := w.store.Read(w.Context(), fmt.Sprint(i)); !r.Holder.IsZero() {
				w.Errorf("%d is held by %v", i, r.Holder)
			}
		}
		w.same("work that runs", k.runs, 0)
	})
}

func TestAnElectionAddedWhileTheNodeStopsEndsWithIt(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, linger: 2 * time.Second}
		n := w.node("a", nil)
		n.campaign(Election{Lead: k.lead})
		n.cancel()
		w.pass(time.Second)
		late := n.campaign(Election{Key: "late"})
		<-late.Done()
		w.pass(time.Second)
		if !n.hasEnded() {
			w.Error("Run has not returned")
		}
		w.same("events of the late one", len(n.story("late")), 0)
	})
}

func TestRunOfThePackageReturnsWhenItsContextEndsOrTheWorkIsOver(t *testing.T) {
	m := &memory.Manager{Quiet: true}
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, m, "billing", func(ctx context.Context, _ *Tenure) error {
		cancel()
		<-ctx.Done()
		return nil
	})
	if err != nil {
		t.Errorf("after the end of its context: %v", err)
	}
	err = Run(t.Context(), m, "billing", func(context.Context, *Tenure) error { return ErrOver })
	if err != nil {
		t.Errorf("after work that is over: %v", err)
	}
	why := errors.New("migrated")
	err = Run(t.Context(), m, "billing", func(context.Context, *Tenure) error { return errors.Join(why, ErrOver) })
	if !errors.Is(err, why) {
		t.Errorf("after work that is over, and why: %v", err)
	}
	if err := Run(t.Context(), m, "", nil); err == nil {
		t.Error("a key that is none was accepted")
	}
}

// What only a real clock shows: that timers fire by themselves, and in time.
func TestWithARealClockTheLeaseIsRenewedAndHandedOver(t *testing.T) {
	m := &memory.Manager{Quiet: true}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	renewed := make(chan struct{}, 16)
	var running, overlaps atomic.Int64
	var campaigns []*Campaign
	for _, name := range []string{"a", "b"} {
		called := func(_ string, op fsm.Op, _ time.Duration, err error) {
			if op == fsm.Renew && err == nil {
				select {
				case renewed <- struct{}{}:
				default:
				}
			}
		}
		n, err := New(Config{Name: name, Manager: m, Hooks: Hooks{Called: called}})
		if err != nil {
			t.Fatal(err)
		}
		work := func(ctx context.Context, _ *Tenure) error {
			overlaps.Add(running.Swap(1))
			defer running.Store(0)
			<-ctx.Done()
			return nil
		}
		often := fsm.Timing{TTL: 10 * time.Second, Renew: 20 * time.Millisecond}
		c, err := n.Campaign(Election{Key: "billing", Timing: often, Lead: work})
		if err != nil {
			t.Fatal(err)
		}
		campaigns = append(campaigns, c)
		go func() { done <- n.Run(ctx) }()
	}
	for i := range 6 {
		<-renewed // twice, so that a whole term lies behind it
		<-renewed
		leads, follows := campaigns[0], campaigns[1]
		if !leads.Status().Leading {
			leads, follows = follows, leads
		}
		if err := leads.HandOver(); err != nil {
			t.Fatal(err)
		}
		if err := follows.Wait(ctx, fsm.Leader); err != nil {
			t.Fatalf("handover %d: %v", i, err)
		}
	}
	cancel()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
	if overlaps.Load() > 0 {
		t.Error("two pieces of work ran at once")
	}
}
