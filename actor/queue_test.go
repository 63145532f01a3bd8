package actor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestNoMoreThanMaxCallsAreUnderWayAndTheOthersWaitTheirTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 0, leasetest.Slow, time.Second))
		n := w.node("a", m, func(c *Config) { c.MaxCalls = 8 })
		for i := range 12 {
			n.campaign(Election{Key: fmt.Sprint(i)})
		}
		w.pass(1500 * time.Millisecond)
		w.same("at once", n.tap.most, 6) // a quarter is kept for renewals and releases
		w.same("acquired or asked", n.tap.count(fsm.Acquire), 12)
		w.pass(time.Second)
		for c := range n.Campaigns() {
			w.state(c, fsm.Leader)
		}
	})
}

func TestRenewalsGoBeforeAcquisitions(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty()
		n := w.node("a", m, func(c *Config) { c.MaxCalls = 1 })
		leads := n.campaign(Election{Key: "leads"})
		m.Plan = leasetest.Script(fault(leasetest.Acquire, 0, leasetest.Slow, 100*time.Millisecond))
		w.pass(4900 * time.Millisecond)
		for i := range 20 { // two seconds of work, one after the other
			n.campaign(Election{Key: fmt.Sprint(i)})
		}
		w.pass(200 * time.Millisecond)
		acquired := n.tap.count(fsm.Acquire)
		w.same("renewals", n.tap.count(fsm.Renew), 1)
		if acquired > 4 {
			w.Errorf("%d acquisitions before the renewal", acquired)
		}
		w.pass(3 * time.Second)
		w.same("time left", leads.Status().Remaining > leadFor-4*time.Second, true)
	})
}

func TestFollowersThatAskAStoreInVainCostNoLeaderItsLease(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty()
		n := w.node("a", m, func(c *Config) { c.MaxCalls = 8 })
		leads := n.campaign(Election{Key: "leads"})
		m.Plan = leasetest.Script(fault(leasetest.Acquire, 0, leasetest.Hang))
		defer m.Heal()
		var last *Campaign
		for i := range 50 {
			last = n.campaign(Election{Key: fmt.Sprint(i)})
		}
		w.pass(10 * time.Minute)
		w.state(leads, fsm.Leader)
		w.same("calls that hang", m.Hanging(), 6)
		err := last.Status().Err
		if err == nil || !strings.Contains(err.Error(), "not sent in time, since 6 calls are under way") {
			w.Errorf("the error is %v", err)
		}
		if waiting := len(n.patient.jobs) - n.patient.head; waiting > 200 {
			w.Errorf("%d calls wait for 50 elections", waiting)
		}
	})
}

func TestAQueueKeepsItsOrderAndDropsWhatIsNoLongerAwaited(t *testing.T) {
	var q queue
	live := &Campaign{}
	timing := fsm.Timing{TTL: ttl}.Derive()
	live.machine, _ = fsm.New(&timing, 1).Step(fsm.Input{}) // awaits call 1
	stale := job{c: live, call: fsm.Call{Op: fsm.Acquire, Number: 99}}
	next, wanted := 1, 0
	for i := range 10_000 {
		q.push(stale)
		if i%10 == 0 {
			wanted++
			q.push(job{c: live, call: fsm.Call{Op: fsm.Acquire, Number: 1}, ttl: time.Duration(wanted)})
		}
		if i%3 == 0 {
			if j, ok := q.pop(); !ok {
				t.Fatal("empty too soon")
			} else if j.ttl > 0 {
				if int(j.ttl) != next {
					t.Fatalf("number %d came when %d was next", j.ttl, next)
				}
				next++
			}
		}
	}
	if len(q.jobs) > 4*wanted {
		t.Errorf("%d jobs are kept for %d that are wanted", len(q.jobs), wanted)
	}
	for j, ok := q.pop(); ok; j, ok = q.pop() {
		if j.ttl > 0 {
			if int(j.ttl) != next {
				t.Fatalf("number %d came when %d was next", j.ttl, next)
			}
			next++
		}
	}
	if next != wanted+1 || q.jobs != nil {
		t.Errorf("%d of %d came out, and %d are left", next-1, wanted, len(q.jobs))
	}
}

func TestAPermanentFaultIsLoggedOnceAndRetriedSlowly(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(leasetest.Step{Fault: leasetest.Fault{Kind: leasetest.ErrorBefore, Err: errNoTable}})
		var log lines
		n := w.node("a", m, func(c *Config) { c.Logger = log.logger() })
		c := n.campaign(Election{})
		w.pass(10 * time.Minute)
		if asked := n.tap.count(fsm.Acquire); asked < 20 || asked > 32 { // every four polls
			w.Errorf("asked %d times in 10 minutes", asked)
		}
		w.same("warnings of calls", log.count("store gave no usable answer"), 1)
		w.same("warnings of watches", log.count("store cannot be watched"), 1)
		if err := c.Status().Err; !errors.Is(err, errNoTable) {
			w.Errorf("the error is %v", err)
		}
		m.Heal()
		w.pass(30 * time.Second)
		w.state(c, fsm.Leader)
		w.same("told that it is over", log.count("store answers again"), 1)
	})
}

// fickle is a store whose calls fail as err says; nil: they do not.
type fickle struct {
	lease.Manager
	err error
}

func (f *fickle) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if f.err != nil {
		return lease.Lease{}, f.err
	}
	return f.Manager.Acquire(ctx, key, h, ttl)
}

func TestAFaultThatBecomesPermanentIsLoggedAgainAndOneThatPassesIsNot(t *testing.T) {
	inWorld(t, func(w *world) {
		var log lines
		passing := errors.New("no route")
		m := &fickle{Manager: w.faulty(), err: passing}
		c := w.node("a", m, func(c *Config) { c.Logger = log.logger() }).campaign(Election{})
		for _, step := range []struct {
			err  error
			want int
		}{{passing, 1}, {errNoTable, 2}, {passing, 2}, {errNoTable, 2}} {
			m.err = step.err
			w.pass(5 * time.Minute)
			w.same("warnings", log.count("store gave no usable answer"), step.want)
		}
		m.err = nil
		w.pass(time.Minute)
		w.state(c, fsm.Leader)
		w.same("told that it is over", log.count("store answers again"), 1)
	})
}

// stubborn is a store whose client asks again until its time is up, and tells only then what is wrong.
type stubborn struct {
	lease.Manager
	err error
}

func (s *stubborn) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if s.err == nil {
		return s.Manager.Acquire(ctx, key, h, ttl)
	}
	<-ctx.Done()
	return lease.Lease{}, s.err
}

func TestWhatIsWrongIsToldThoughTheStoreSaysItWhenItsTimeIsUp(t *testing.T) {
	inWorld(t, func(w *world) {
		var log lines
		m := &stubborn{Manager: w.faulty(), err: errors.New("connection refused")}
		n := w.node("a", m, func(c *Config) { c.Logger = log.logger() })
		c := n.campaign(Election{})
		const said = `actor: acquire "billing": no answer in time: connection refused`
		w.pass(2500 * time.Millisecond)
		w.same("the error", c.Status().Err, said)
		w.pass(10 * time.Minute)
		w.same("warnings", log.count("store gave no usable answer"), 1)
		w.same("warnings that say why", log.count("no answer in time: connection refused"), 1)
		if err := c.Status().Err; !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, m.err) {
			w.Errorf("%v does not wrap what it says", err)
		}
		m.err = nil
		w.pass(time.Minute)
		w.state(c, fsm.Leader)
		w.same("the error", c.Status().Err, nil)
		w.same("told that it is over", log.count("store answers again"), 1)
	})
}

func TestASilentStoreIsComplainedOfAtTheSecondCall(t *testing.T) {
	inWorld(t, func(w *world) {
		var log lines
		m := &stubborn{Manager: w.faulty(), err: context.Canceled} // which does not say what is wrong
		n := w.node("a", m, func(c *Config) { c.Logger = log.logger() })
		c := n.campaign(Election{})
		w.pass(2500 * time.Millisecond)
		w.same("the error", c.Status().Err, `actor: acquire "billing": no answer in time: context deadline exceeded`)
		w.same("warnings after one call", log.count("store gave no usable answer"), 0)
		w.pass(10 * time.Minute)
		w.same("warnings", log.count("store gave no usable answer"), 1)
		m.err = nil
		w.pass(time.Minute)
		w.same("told that it is over", log.count("store answers again"), 1)
	})
}
