package actor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestR1_ALeaseCountsFromBeforeTheRequestWasSent(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(
			fault(leasetest.Acquire, 1, leasetest.Slow, 2*time.Second),
			fault(leasetest.Renew, 1, leasetest.Slow, 2*time.Second),
			fault(leasetest.Renew, 0, leasetest.ErrorBefore))
		k := &work{w: w}
		n := w.node("a", m)
		c := n.campaign(Election{Lead: k.lead})
		w.pass(2 * time.Second) // the answer comes after 2 s
		w.state(c, fsm.Leader)
		w.same("time left after an acquire that took 2 s", c.Status().Remaining, leadFor-2*time.Second)
		w.pass(5 * time.Second) // a renewal was sent at 5 s and answered at 7 s
		w.same("time left after a renewal that took 2 s", c.Status().Remaining, leadFor-2*time.Second)
		w.pass(30 * time.Second)
		w.same("the work was told to stop at", k.told[0], 5*time.Second+leadFor)
	})
}

func TestR2_AtTheDeadlineTheWorkIsToldFirstThoughARenewalHangs(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(
			fault(leasetest.Renew, 1, leasetest.Hang),
			fault(leasetest.Renew, 0, leasetest.LostRequest))
		defer m.Heal()
		k := &work{w: w}
		n := w.node("a", m)
		c := n.campaign(Election{Lead: k.lead})
		var told error // had the context ended when the store was next asked?
		n.tap.before = func(x call) {
			if x.op == fsm.Release {
				k.mu.Lock()
				told = k.ctxs[0].Err()
				k.mu.Unlock()
			}
		}
		w.pass(leadFor - 1)
		if !c.Status().Leading || !k.begun[0].Leading() || len(k.told) > 0 {
			w.Error("leadership ended before its time")
		}
		w.pass(1)
		if c.Status().Leading || k.begun[0].Leading() {
			w.Error("still leading at the deadline")
		}
		w.same("the work was told at", k.told, []time.Duration{leadFor})
		w.pass(time.Second)
		w.same("the context before the release was sent", told, context.Canceled)
	})
}

// The deadline holds even while the actor does not move at all: whoever asks looks at the clock.
func TestR2_LeadingTurnsFalseAtTheDeadlineThoughTheActorIsStuck(t *testing.T) {
	inWorld(t, func(w *world) {
		stuck, free := make(chan struct{}), make(chan struct{})
		k := &work{w: w}
		n := w.node("a", nil, func(c *Config) {
			c.Hooks.Called = func(_ string, op fsm.Op, _ time.Duration, _ error) {
				if op == fsm.Renew {
					close(stuck)
					<-free
				}
			}
		})
		c := n.campaign(Election{Lead: k.lead})
		w.pass(5 * time.Second)
		<-stuck
		w.pass(leadFor - 5*time.Second)
		if c.Status().Leading || k.begun[0].Leading() || c.Check(w.Context()) == nil {
			w.Error("still leading at the deadline")
		}
		n.tap.Manager = w.faulty(fault(0, 0, leasetest.ErrorBefore))
		n.config.Hooks.Called = nil
		close(free)
		w.pass(0)
		if len(k.told) != 1 {
			w.Error("the answer that had waited since before the deadline revived the lease")
		}
	})
}

func TestR3_NewsOfAnotherHolderEndsTheTermAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		w.pass(time.Second)
		w.store.Assign("billing", "b")
		w.pass(0)
		w.state(c, fsm.Follower)
		w.same("story", n.story("billing"), []string{"due", "won", "lost", "gone"})
		w.same("told at", k.told, []time.Duration{time.Second})
		var ended *Ended
		cause := k.causes[0]
		if !errors.As(cause, &ended) || ended.Reason != fsm.Lost || ended.Term != 1 || !errors.Is(cause, lease.ErrLost) {
			w.Errorf("cause is %v", k.causes[0])
		}
		w.same("releases of what is not ours", n.tap.count(fsm.Release), 0)

		w.store.Assign("billing", "a") // back again: a new tenure
		w.pass(time.Minute)
		w.state(c, fsm.Leader)
		w.same("tenures", len(k.begun), 2)
		if k.begun[1].Term() <= k.begun[0].Term() || k.begun[0].Leading() || !k.begun[1].Leading() {
			w.Error("the lease was taken back inside its old term")
		}
	})
}

func TestR3_ARefusedRenewalEndsTheTermAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", struct{ lease.Manager }{w.store}) // without a watch
		c := n.campaign(Election{Lead: k.lead})
		w.pass(4 * time.Second)
		if err := w.store.Release(w.Context(), k.begun[0].Lease()); err != nil { // by hand: now nobody has it
			w.Fatal(err)
		}
		w.pass(time.Second - 1)
		w.state(c, fsm.Leader) // it cannot know
		w.pass(1)
		w.state(c, fsm.Follower)
		w.same("told at", k.told, []time.Duration{5 * time.Second})
		w.pass(time.Second)
		w.same("terms", k.terms(), []lease.Term{1, 2})
	})
}

// tardy is a store whose next refusal is late.
type tardy struct {
	*memory.Manager
	late chan struct{}
}

func (s *tardy) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	late := s.late
	l, err := s.Manager.Acquire(ctx, key, h, ttl)
	if late != nil {
		<-late
	}
	return l, err
}

func TestR3_ARefusalThatNewsHasOvertakenKeepsNobodyWaiting(t *testing.T) {
	inWorld(t, func(w *world) {
		held, err := w.store.Acquire(w.Context(), "billing", lease.Holder{Name: "b", Incarnation: "x"}, time.Hour)
		if err != nil {
			w.Fatal(err)
		}
		m := &tardy{Manager: w.store}
		n := w.node("a", m)
		c := n.campaign(Election{})
		m.late = make(chan struct{})
		w.pass(5 * time.Second)
		w.state(c, fsm.Acquiring) // refused, and does not know
		if err := w.store.Release(w.Context(), held); err != nil {
			w.Fatal(err)
		}
		w.pass(time.Second)
		w.state(c, fsm.Acquiring)
		late := m.late
		m.late = nil
		close(late)
		w.pass(0)
		w.state(c, fsm.Leader)
		w.same("led after", w.now(), 6*time.Second)
		since := n.story("billing")[3:] // due, held and seen; by the watch or by the refusal, whichever came first
		w.same("story", since, []string{"due", "sees nobody", "held", "due", "won"})
	})
}

func TestR3_StaleNewsChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		m := &newsstand{Manager: w.store}
		k := &work{w: w}
		n := w.node("a", m)
		w.store.Assign("billing", "") // term 1
		w.store.Assign("billing", "") // term 2
		c := n.campaign(Election{Lead: k.lead})
		w.state(c, fsm.Leader)
		for _, r := range []lease.Record{
			{Lease: lease.Lease{Key: "billing", Term: 2}},
			{Lease: lease.Lease{Key: "billing", Term: 1, Holder: lease.Holder{Name: "b", Incarnation: "x"}}, Remaining: ttl},
			{Lease: lease.Lease{Key: "billing", Term: 3, Holder: n.holder}, Remaining: ttl},
		} {
			m.tell("billing", r)
			w.pass(0)
			w.state(c, fsm.Leader)
		}
		w.same("story", n.story("billing"), []string{"due", "won"})
		m.tell("billing", lease.Record{Lease: lease.Lease{Key: "billing", Term: 4}})
		w.pass(0)
		w.same("told", len(k.told), 1)
	})
}

func TestR4_EveryTenureHasAGreaterTermThanAllBeforeIt(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		m := w.faulty(fault(leasetest.Renew, 9, leasetest.LostRequest),
			fault(leasetest.Renew, 10, leasetest.LostRequest),
			fault(leasetest.Renew, 11, leasetest.LostRequest))
		a := w.node("a", m).campaign(Election{Lead: k.lead})
		b := w.node("b", nil).campaign(Election{Lead: k.lead})
		for range 3 {
			for _, c := range []*Campaign{a, b} {
				_ = c.HandOver()
				w.pass(10 * time.Second)
				_ = c.Resign()
				w.pass(10 * time.Second)
			}
			w.store.Assign("billing", "")
			w.pass(40 * time.Second)
		}
		terms := k.terms()
		if len(terms) < 6 || terms[0] != 1 {
			w.Errorf("the terms of %d tenures are %v", len(terms), terms)
		}
		for i, term := range terms {
			if i > 0 && term <= terms[i-1] {
				w.Errorf("terms do not rise: %v", terms)
			}
			if k.begun[i].Lease().Term != term || k.begun[i].Key() != "billing" {
				w.Errorf("tenure %d has the lease %v", i, k.begun[i].Lease())
			}
		}
	})
}
