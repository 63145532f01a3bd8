package actor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestStatusTellsHowThingsStand(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.node("a", nil, func(c *Config) { c.Meta = "10.0.0.1:80" }), w.make("b", nil)
		c := a.campaign(Election{})
		d, err := b.Campaign(Election{Key: "billing", TTL: ttl})
		if err != nil {
			w.Fatal(err)
		}
		w.same("before Run", d.Status(), Status{Key: "billing"})
		b.run(w.Context())
		w.pass(time.Second)
		w.same("leader", c.Status(), Status{
			Key: "billing", State: fsm.Leader, Leading: true, Reason: fsm.Won, Term: 1, Leader: a.Holder(),
			Remaining: leadFor - time.Second, Since: w.start.Local(),
		})
		w.same("follower", d.Status(), Status{
			Key: "billing", State: fsm.Follower, Reason: fsm.Held, Term: 1, Leader: a.Holder(), Since: w.start.Local(),
		})
		w.same("metadata", d.Status().Leader.Meta, "10.0.0.1:80")
	})
}

func TestStatusTellsOfWorkThatWindsDown(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, linger: 10 * time.Second}
		c := w.node("a", nil).campaign(Election{Lead: k.lead})
		_ = c.Resign()
		w.pass(time.Second)
		st := c.Status()
		if st.State != fsm.Releasing || st.Leading || st.Term != 1 || st.Remaining != leadFor-time.Second {
			w.Errorf("status is %+v", st)
		}
		if k.begun[0].Leading() || k.begun[0].Remaining() != st.Remaining {
			w.Errorf("the tenure says %v, %v left", k.begun[0].Leading(), k.begun[0].Remaining())
		}
		w.pass(20 * time.Second)
		w.same("terms", k.terms(), []lease.Term{1, 2})
		if k.begun[0].Remaining() != 0 || k.begun[0].Leading() {
			w.Error("an old tenure lives on in the next")
		}
	})
}

func TestStatusTellsTheStoresLatestErrorUntilItAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Renew, 1, leasetest.ErrorBefore), fault(leasetest.Renew, 2, leasetest.LostRequest))
		c := w.node("a", m).campaign(Election{})
		w.pass(5 * time.Second)
		w.same("after a fault", errors.Is(c.Status().Err, leasetest.ErrInjected), true)
		w.pass(3500 * time.Millisecond)
		w.same("after no answer", errors.Is(c.Status().Err, context.DeadlineExceeded), true)
		w.pass(time.Second)
		w.same("after an answer", c.Status().Err, nil)
		w.state(c, fsm.Leader)
	})
}

func TestCheckSaysWhoLeadsInstead(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.node("a", nil), w.node("b", nil)
		c, d := a.campaign(Election{}), b.campaign(Election{})
		for _, check := range []func(context.Context) error{c.Check, c.IsLeader} {
			if err := check(w.Context()); err != nil {
				w.Error(err)
			}
		}
		err := d.Check(w.Context())
		if !errors.Is(err, ErrNotLeading) {
			w.Error("the error is not ErrNotLeading")
		}
		w.same("text", err, `actor: not leading: "billing" is led by a under term 1`)
		_ = d.Pause()
		w.pass(0)
		_ = c.Withdraw()
		w.pass(0)
		w.same("text", d.Check(w.Context()), `actor: not leading: "billing" is follower here, and no leader is known`)
	})
}

func TestWaitReturnsWhenTheElectionHasBeenInTheState(t *testing.T) {
	inWorld(t, func(w *world) {
		var results sync.Map
		wait := func(name string, c *Campaign, ctx context.Context, s fsm.State) {
			go func() { results.Store(name, fmt.Sprint(c.Wait(ctx, s))) }()
		}
		a := w.node("a", nil)
		c := a.campaign(Election{})
		d := w.node("b", nil).campaign(Election{})
		soon, cancel := context.WithCancelCause(w.Context())
		wait("is now", c, w.Context(), fsm.Leader)
		wait("will be", d, w.Context(), fsm.Leader)
		wait("passes through", c, w.Context(), fsm.Releasing)
		wait("gives up", c, soon, fsm.Acquiring)
		wait("never is", c, w.Context(), fsm.Acquiring)
		w.pass(0)
		cancel(errors.New("enough"))
		w.pass(0)
		expect := func(name, want string) {
			w.Helper()
			got, _ := results.Load(name)
			w.same(name, got, want)
		}
		expect("is now", "<nil>")
		expect("gives up", "enough")
		_ = c.Withdraw()
		w.pass(0)
		expect("will be", "<nil>")
		expect("passes through", "<nil>")
		expect("never is", `actor: wait for acquiring of "billing": actor: stopped`)
		wait("ended long ago", c, w.Context(), fsm.Leader)
		wait("ended as a follower", c, w.Context(), fsm.Follower)
		wait("node ends", d, w.Context(), fsm.Acquiring)
		w.pass(0)
		expect("ended long ago", `actor: wait for leader of "billing": actor: stopped`)
		expect("ended as a follower", "<nil>")
		for _, n := range w.nodes {
			n.cancel()
		}
		w.pass(0)
		expect("node ends", `actor: wait for acquiring of "billing": actor: stopped`)
	})
}

func TestDoneIsOneChannelClosedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.node("a", nil).campaign(Election{})
		done := c.Done()
		if c.Done() != done {
			w.Error("Done returns ever new channels")
		}
		select {
		case <-done:
			w.Error("closed at the beginning")
		default:
		}
		_ = c.Withdraw()
		w.pass(0)
		<-done
		<-c.Done()
		if err := c.Err(); err != nil {
			w.Error(err)
		}
	})
}

// One writer, as the actor is; each field is written with the same number, so a reader that sees two has seen half.
func TestStatusIsReadWholeBesideAWriter(t *testing.T) {
	timing := fsm.Timing{TTL: ttl}.Derive()
	var s status
	var stop atomic.Bool
	var readers sync.WaitGroup
	holders := make([]lease.Holder, 1000)
	machines := make([]fsm.Machine, len(holders))
	for i := range machines {
		holders[i].Name = fmt.Sprint(i)
		m, call := fsm.New(&timing, 1).Step(fsm.Input{Now: fsm.Instant(i)})
		won := fsm.Input{Kind: fsm.Granted, Call: call.Number, Term: lease.Term(i + 1), Now: fsm.Instant(i)}
		machines[i], _ = m.Step(won)
	}
	s.write(&machines[0], 0, 0, &holders[0])
	var reads atomic.Int64
	for range 8 {
		readers.Go(func() {
			for !stop.Load() {
				st, seq, until := s.read()
				reads.Add(1)
				i := int(st.Term) - 1
				if seq != uint64(i) || st.Leader.Name != holders[i].Name || until != machines[i].Until() ||
					i > 0 && st.Since.UnixNano() != int64(i) {
					t.Errorf("term %d, seq %d, leader %s, until %d, since %v", st.Term, seq, st.Leader, until, st.Since)
					return
				}
			}
		})
	}
	for round := 0; round < 20 || reads.Load() < 1000; round++ {
		for i := range machines {
			s.write(&machines[i], uint64(i), int64(i), &holders[i])
		}
	}
	stop.Store(true)
	readers.Wait()
}

func TestStatusCheckAndTenureAreReadWhileTheNodeWorks(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		var stop atomic.Bool
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				for !stop.Load() {
					st := c.Status()
					if st.Leading && (st.State != fsm.Leader || st.Remaining <= 0 || st.Leader != n.Holder()) {
						w.Errorf("status is %+v", st)
						return
					}
					_ = c.Check(w.Context())
					k.mu.Lock()
					tenure := k.begun[len(k.begun)-1]
					k.mu.Unlock()
					if tenure.Remaining() > 0 && tenure.Term() == 0 {
						w.Error("a tenure without a term")
					}
				}
			})
		}
		for i := range 50 { // the readers never rest, so time in this bubble stands still and requests are what happens
			_ = c.Resign()
			_ = c.Resume()
			w.store.Assign("billing", string(rune('a'+i%2)))
		}
		stop.Store(true)
		readers.Wait()
	})
}
