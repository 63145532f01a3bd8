package actor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestAnAcquireThatHangsAndIgnoresItsContextIsGivenUpOnTime(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 1, leasetest.Hang))
		defer m.Heal()
		n := w.node("a", m)
		c := n.campaign(Election{})
		w.pass(2500*time.Millisecond - 1)
		w.state(c, fsm.Acquiring)
		w.pass(1)
		w.state(c, fsm.Follower)
		if err := c.Status().Err; !errors.Is(err, context.DeadlineExceeded) || n.last("billing").Err == nil {
			w.Errorf("the error is %v, of the event %v", err, n.last("billing").Err)
		}
		w.pass(time.Second)
		w.state(c, fsm.Leader) // by the next attempt
		m.Free()
		w.pass(time.Second)
		w.state(c, fsm.Leader)
	})
}

func TestARenewalThatHangsAndIgnoresItsContextIsRepeatedAndLeadershipGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Renew, 1, leasetest.Hang))
		defer m.Heal()
		k := &work{w: w}
		n := w.node("a", m)
		c := n.campaign(Election{Lead: k.lead})
		w.pass(time.Minute)
		w.state(c, fsm.Leader)
		w.same("tenures", len(k.begun), 1)
		w.same("calls", n.tap.list()[:4], []string{"0s acquire 1", "5s renew 1 ...", "8.5s renew 1", "13.5s renew 1"})
	})
}

func TestAReleaseThatHangsAndIgnoresItsContextDoesNotKeepTheNodeFromStandingAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Release, 1, leasetest.Hang))
		defer m.Heal()
		n := w.node("a", m)
		c := n.campaign(Election{})
		_ = c.Resign()
		w.pass(4 * time.Second) // given up after 2.5 s, asked again 1 s later
		w.same("story", n.story("billing"), []string{"due", "won", "resigned", "released"})
		w.pass(10 * time.Second)
		w.state(c, fsm.Leader)
	})
}

func TestWhenAllHangsNoMoreThanTwoCallsOfAnElectionExist(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(0, 0, leasetest.Hang))
		n := w.node("a", m)
		c := n.campaign(Election{})
		w.pass(10 * time.Minute)
		w.same("calls that hang", m.Hanging(), 2)
		if err := c.Status().Err; !errors.Is(err, ErrHung) {
			w.Errorf("the error is %v", err)
		}
		m.Heal()
		w.pass(time.Minute)
		w.state(c, fsm.Leader)
		if err := c.Status().Err; err != nil {
			w.Errorf("the error is %v", err)
		}
	})
}

func TestCallsThatDoNotReturnAreNamedAfterTheJoinLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 0, leasetest.Hang))
		n := w.node("a", m, func(c *Config) { c.JoinLimit = 7 * time.Second })
		c := n.campaign(Election{Key: "stuck"})
		other := n.campaign(Election{Key: "stuck too"})
		w.pass(2 * time.Second)
		n.cancel()
		w.pass(5*time.Second + 7*time.Second - 1)
		if n.hasEnded() {
			w.Errorf("Run returned after %v with %v", w.now(), n.err)
		}
		w.pass(5 * time.Second)
		if !n.hasEnded() {
			w.Fatal("Run has not returned")
		}
		if !errors.Is(n.err, ErrUnjoined) || !strings.Contains(n.err.Error(), `"stuck"`) {
			w.Errorf("Run returned %v", n.err)
		}
		<-c.Done()
		<-other.Done()
		// What they are granted at last is handed back though the node is gone.
		m.Manager = grantAnyway{w.store}
		m.Heal()
		w.pass(0)
		r, _ := w.store.Read(w.Context(), "stuck")
		if !r.Holder.IsZero() || r.Term == 0 {
			w.Errorf("the store has %v", r)
		}
	})
}

// grantAnyway is a Manager that looks at no context.
type grantAnyway struct{ lease.Manager }

func (g grantAnyway) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	return g.Manager.Acquire(context.WithoutCancel(ctx), key, h, ttl)
}

func TestALateGrantOfAnElectionThatIsOverIsHandedBack(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 0, leasetest.Hang))
		m.Manager = grantAnyway{w.store}
		n := w.node("a", m)
		c := n.campaign(Election{})
		w.pass(time.Second)
		_ = c.Withdraw()
		w.pass(20 * time.Second)
		<-c.Done()
		m.Heal()
		w.pass(0)
		r, _ := w.store.Read(w.Context(), "billing")
		if !r.Holder.IsZero() || r.Term == 0 {
			w.Errorf("the store has %v", r)
		}
	})
}

func TestAStopDuringAnAcquireWhoseAnswerIsLostReleasesWhatMayHaveBeenGranted(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", w.faulty(fault(leasetest.Acquire, 1, leasetest.LostAnswer)))
		c := n.campaign(Election{})
		w.pass(time.Second)
		w.state(c, fsm.Acquiring)
		n.cancel()
		w.pass(2 * time.Second)
		if !n.hasEnded() || n.err != nil {
			w.Fatalf("Run has not returned, or with %v; calls: %v", n.err, n.tap.list())
		}
		r, _ := w.store.Read(w.Context(), "billing")
		if !r.Holder.IsZero() || r.Term != 2 {
			w.Errorf("the store has %v; calls: %v", r, n.tap.list())
		}
		w.same("story", n.story("billing"), []string{"due", "stopped", "released"})
	})
}

func TestAResignWhileARenewalIsInFlightReleasesAfterItHasSettled(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, delay := range []time.Duration{time.Second, 10 * time.Second} { // settled by its answer, by its time limit
			key := delay.String()
			n := w.node("a", w.faulty(fault(leasetest.Renew, 1, leasetest.Slow, delay)))
			c := n.campaign(Election{Key: key})
			k := &work{w: w}
			w.pass(5500 * time.Millisecond)
			_ = c.Resign()
			w.pass(0)
			w.state(c, fsm.Releasing)
			w.same("releases while the renewal is in flight", n.tap.count(fsm.Release), 0)
			w.pass(2 * time.Second)
			w.state(c, fsm.Follower)
			w.same("story", n.story(key), []string{"due", "won", "resigned", "released"})
			w.node("b", nil).campaign(Election{Key: key, Lead: k.lead})
			w.same("tenures of the next", len(k.begun), 1)
		}
	})
}

func TestAThousandElectionsWithAStoreThatStallsForFourSecondsNeedFewGoroutines(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty()
		n := w.node("a", m, func(c *Config) { c.MaxCalls = 64 })
		k := &work{w: w}
		var all []*Campaign
		for i := range 1000 {
			c, err := n.Campaign(Election{Key: fmt.Sprint(i), TTL: ttl, Lead: k.lead})
			if err != nil {
				w.Fatal(err)
			}
			all = append(all, c)
		}
		w.pass(6 * time.Second)
		w.same("tenures", len(k.begun), 1000)
		before := runtime.NumGoroutine()
		stalled := w.now() + 4*time.Second
		m.Plan = func(leasetest.Call) leasetest.Fault {
			return leasetest.Fault{Kind: leasetest.Slow, Delay: stalled - w.now()}
		}
		most := 0
		for range 40 {
			w.pass(100 * time.Millisecond)
			most = max(most, runtime.NumGoroutine()-before)
		}
		m.Plan = nil
		if most > 64+2 || n.tap.most > 64 {
			w.Errorf("%d goroutines more, %d calls at once", most, n.tap.most)
		}
		w.pass(30 * time.Second)
		for _, c := range all {
			w.state(c, fsm.Leader)
		}
		w.same("tenures", len(k.begun), 1000)
	})
}
