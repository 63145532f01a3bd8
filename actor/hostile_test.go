package actor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// oracle is a Manager that says what the test says, until it says nothing: then the world's store answers.
type oracle struct {
	lease.Manager
	acquire func(key string, h lease.Holder) (lease.Lease, error)
	renew   func(lease.Lease) error
	release func(lease.Lease) error
}

func (o *oracle) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if o.acquire != nil {
		return o.acquire(key, h)
	}
	return o.Manager.Acquire(ctx, key, h, ttl)
}

func (o *oracle) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if o.renew != nil {
		return o.renew(l)
	}
	return o.Manager.Renew(ctx, l, ttl)
}

func (o *oracle) Release(ctx context.Context, l lease.Lease) error {
	if o.release != nil {
		return o.release(l)
	}
	return o.Manager.Release(ctx, l)
}

func TestAGrantOfSomethingElseIsNoLease(t *testing.T) {
	for name, grant := range map[string]func(key string, h lease.Holder) lease.Lease{
		"another key":    func(_ string, h lease.Holder) lease.Lease { return lease.Lease{Key: "other", Holder: h, Term: 1} },
		"another holder": func(k string, _ lease.Holder) lease.Lease { return lease.Lease{Key: k, Term: 1} },
		"another incarnation": func(k string, h lease.Holder) lease.Lease {
			h.Incarnation = "another"
			return lease.Lease{Key: k, Holder: h, Term: 1}
		},
		"no term": func(k string, h lease.Holder) lease.Lease { return lease.Lease{Key: k, Holder: h} },
		"nothing": func(string, lease.Holder) lease.Lease { return lease.Lease{} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				o := &oracle{Manager: w.store}
				o.acquire = func(k string, h lease.Holder) (lease.Lease, error) { return grant(k, h), nil }
				k := &work{w: w}
				c := w.node("a", o).campaign(Election{Lead: k.lead})
				w.pass(time.Minute)
				w.same("tenures", len(k.begun), 0)
				if err := c.Status().Err; err == nil || !strings.Contains(err.Error(), "its Manager is broken") {
					w.Errorf("the error is %v", err)
				}
				o.acquire = nil
				w.pass(time.Minute)
				w.state(c, fsm.Leader)
			})
		})
	}
}

// refusals are answers that no sane Manager gives.
func refusals(h lease.Holder) map[string]error {
	big := strings.Repeat("x", 1<<16)
	return map[string]error{
		"a nil held error":      (*lease.HeldError)(nil),
		"a nil lost error":      (*lease.LostError)(nil),
		"both refusals at once": errors.Join(lease.ErrHeld, lease.ErrLost, lease.ErrPermanent),
		"held by us": &lease.HeldError{Record: lease.Record{Lease: lease.Lease{
			Key: "billing", Holder: h, Term: 1}}},
		"held by nobody": &lease.HeldError{},
		"the greatest term": &lease.HeldError{Record: lease.Record{Lease: lease.Lease{
			Key: "billing", Holder: lease.Holder{Name: "b"}, Term: math.MaxUint64}, Remaining: math.MaxInt64}},
		"the least time": &lease.HeldError{Record: lease.Record{Lease: lease.Lease{
			Key: "billing", Holder: lease.Holder{Name: "b"}, Term: 1}, Remaining: math.MinInt64}},
		"huge and binary": &lease.LostError{Record: lease.Record{Lease: lease.Lease{
			Key: big, Holder: lease.Holder{Name: big + "\x00\xff", Incarnation: big, Meta: big}, Term: 1}, Remaining: -1}},
		"an error that panics when it is read": fmt.Errorf("%w", lease.Permanent(errors.New("\x00"))),
	}
}

func TestNoRefusalMakesTheNodePanicOrLead(t *testing.T) {
	for name := range refusals(lease.Holder{}) {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				o := &oracle{Manager: w.store}
				var log lines
				n := w.node("a", o, func(c *Config) { c.Logger = log.logger() })
				heard, _ := n.heard(events.Options{})
				leads := n.campaign(Election{Key: "leads"})
				fault := refusals(n.Holder())[name]
				o.acquire = func(string, lease.Holder) (lease.Lease, error) { return lease.Lease{}, fault }
				o.renew = func(lease.Lease) error { return fault }
				o.release = func(lease.Lease) error { return fault }
				k := &work{w: w}
				c := n.campaign(Election{Lead: k.lead})
				w.pass(time.Minute)
				_ = leads.Resign()
				w.pass(time.Minute)
				w.same("tenures", len(k.begun), 0)
				if asked := n.tap.count(fsm.Acquire); asked > 2000 {
					w.Errorf("asked %d times in two minutes", asked)
				}
				for _, e := range heard() {
					_ = e.String()
				}
				_ = c.Check(w.Context())
				if _, err := c.Status().MarshalJSON(); err != nil {
					w.Error(err)
				}
			})
		})
	}
}

func TestARefusalThatDoesNotFitTheCallIsNoAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		o := &oracle{Manager: w.store}
		k := &work{w: w}
		n := w.node("a", struct{ lease.Manager }{o})
		c := n.campaign(Election{Lead: k.lead})
		o.renew = func(lease.Lease) error { return lease.ErrHeld } // of an acquire
		w.pass(6 * time.Second)
		w.state(c, fsm.Leader)
		w.same("error", c.Status().Err, lease.ErrHeld)
		w.pass(6 * time.Second)
		w.same("told", k.told, []time.Duration{leadFor})
	})
}

func TestAWatchThatCannotBeginIsLoggedOnceAndTriedAgainWhileFollowing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.node("other", nil).campaign(Election{})
		stand := &newsstand{Manager: w.store, fails: 5}
		var log lines
		n := w.node("a", stand, func(c *Config) { c.Logger = log.logger() })
		n.campaign(Election{})
		w.pass(15 * time.Second)
		w.same("begun", stand.began, 0)
		w.pass(15 * time.Second)
		w.same("begun", stand.began, 1)
		w.same("logged", log.count("store cannot be watched"), 1)
	})
}

// nilWatch returns neither a way to stop nor an error.
type nilWatch struct{ lease.Manager }

func (nilWatch) Watch(string, func(lease.Record)) (func(), error) { return nil, nil }

func TestAWatchWithoutAWayToStopItIsTakenAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.node("a", nilWatch{w.store}).campaign(Election{})
		_ = c.Withdraw()
		w.pass(0)
		<-c.Done()
	})
}

// hungWatch never comes back from Watch until it is freed.
type hungWatch struct {
	newsstand
	free chan struct{}
}

func (h *hungWatch) Watch(key string, changed func(lease.Record)) (func(), error) {
	<-h.free
	return h.newsstand.Watch(key, changed)
}

func TestAWatchThatHangsKeepsTheElectionRunningAndRunFromEndingNoLongerThanTheJoinLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		h := &hungWatch{newsstand: newsstand{Manager: w.store}, free: make(chan struct{})}
		n := w.node("a", h, func(c *Config) { c.JoinLimit = 3 * time.Second })
		c := n.campaign(Election{})
		w.state(c, fsm.Leader)
		n.cancel()
		w.pass(3*time.Second - 1)
		w.same("ended before the limit", n.hasEnded(), false)
		w.pass(1)
		w.same("ended at the limit", n.hasEnded(), true)
		if !errors.Is(n.err, ErrUnjoined) || !strings.Contains(n.err.Error(), `"billing"`) {
			w.Errorf("Run returned %v", n.err)
		}
		<-c.Done()
		close(h.free)
		w.pass(0)
		w.same("begun and ended", []int{h.began, h.ended}, []int{1, 1})
	})
}

func TestAFloodOfNewsIsReadAsTheNewestOfIt(t *testing.T) {
	inWorld(t, func(w *world) {
		hold, stuck := make(chan struct{}), true
		stand := &newsstand{Manager: w.store}
		n := w.node("a", stand, func(c *Config) {
			c.Hooks.Called = func(string, fsm.Op, time.Duration, error) {
				if stuck {
					stuck = false
					<-hold
				}
			}
		})
		n.campaign(Election{Paused: false})
		for i := range 100_000 {
			stand.tell("billing", lease.Record{Remaining: ttl, Lease: lease.Lease{
				Key: "billing", Holder: lease.Holder{Name: fmt.Sprint("b", i), Incarnation: "x"}, Term: lease.Term(i + 2)}})
		}
		n.mail.mu.Lock()
		waiting := len(n.mail.queue)
		n.mail.mu.Unlock()
		close(hold)
		w.pass(0)
		if waiting > 3 {
			w.Errorf("%d messages waited", waiting)
		}
		w.same("leader", n.Find("billing").Status().Leader.Name, "b99999")
		if story := n.story("billing"); len(story) > 8 {
			w.Errorf("%d events", len(story))
		}
	})
}

func TestNewsAfterTheEndDisturbsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		stand := &newsstand{Manager: w.store}
		n := w.node("a", stand)
		c := n.campaign(Election{})
		late := stand.watches["billing"]
		_ = c.Withdraw()
		w.pass(0)
		late(lease.Record{Lease: lease.Lease{Key: "billing", Term: 9, Holder: lease.Holder{Name: "b", Incarnation: "x"}}})
		w.pass(0)
		before := len(n.events)
		n.cancel()
		w.pass(0)
		late(lease.Record{})
		w.same("events", len(n.events), before)
	})
}

func TestWatchesThatWaitForTheirEndBehindCallsThatHangAreEndedAfterTheJoinLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty()
		stand := &newsstand{Manager: m}
		n := w.node("a", stand, func(c *Config) { c.MaxCalls = 2 })
		z := n.campaign(Election{Key: "z"})
		w.state(z, fsm.Leader)
		m.Plan = leasetest.Script(fault(leasetest.Acquire, 0, leasetest.Hang))
		defer m.Heal()
		n.campaign(Election{Key: "x"})
		n.campaign(Election{Key: "y"})
		w.same("calls that hang", m.Hanging(), 2)
		n.cancel()
		w.pass(30 * time.Second)
		w.same("ended", n.hasEnded(), true)
		<-z.Done()
		if _, watched := stand.watches["z"]; watched {
			w.Error("the watch goes on")
		}
		w.same("error", errors.Is(n.err, ErrUnjoined), true)
	})
}
