package actor

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestR5_CallsNameExactlyTheLeaseThatWasGranted(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil, func(c *Config) { c.Meta = "10.0.0.1:80" })
		c := n.campaign(Election{})
		w.pass(12 * time.Second)
		_ = c.Resign()
		w.pass(20 * time.Second)
		if n.tap.count(fsm.Renew) < 3 || n.tap.count(fsm.Release) != 1 {
			w.Fatal(n.tap.list())
		}
		term := lease.Term(0)
		for _, x := range n.tap.calls {
			if x.op == fsm.Acquire {
				term++
			}
			want := lease.Lease{Key: "billing", Holder: n.Holder(), Term: term}
			if x.lease != want || x.ttl != ttl && x.op != fsm.Release {
				w.Errorf("%s of %v for %v, want %v for %v", x.op, x.lease, x.ttl, want, ttl)
			}
			if within := x.deadline.Sub(w.start) - x.sent; within != 2500*time.Millisecond {
				w.Errorf("%s is to be answered within %v", x.op, within)
			}
		}
	})
}

func TestR5_ADelayedReleaseOfAnEarlierTermLeavesTheSuccessorAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.node("a", w.faulty(fault(leasetest.Renew, 0, leasetest.ErrorBefore),
			fault(leasetest.Release, 0, leasetest.LateRequest, 20*time.Second)))
		k := &work{w: w}
		a.campaign(Election{})
		c := w.node("b", nil).campaign(Election{Lead: k.lead})
		w.pass(leadFor + 25*time.Second) // by now the release of term 1 has been carried out
		w.state(c, fsm.Leader)
		w.same("story of a", a.story("billing")[:3], []string{"due", "won", "expired"})
		w.same("terms of b", k.terms(), []lease.Term{2})
		w.same("told", len(k.told), 0)
	})
}

func TestR6_TwoNodesOfOneNameNeverBothLead(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		a, b := w.node("twin", nil), w.node("twin", nil)
		c, d := a.campaign(Election{Lead: k.lead}), b.campaign(Election{Lead: k.lead})
		w.state(c, fsm.Leader)
		if d.Status().Leading || d.Check(w.Context()) == nil || d.Status().Leader != a.Holder() {
			w.Error("the second one of the name thinks that it leads")
		}
		for range 20 {
			w.pass(3 * time.Second)
			if c.Status().Leading && d.Status().Leading {
				w.Fatal("both lead")
			}
		}
		_ = c.HandOver()
		w.pass(time.Second)
		if c.Status().Leading || !d.Status().Leading || k.most != 1 {
			w.Error("the lease was not handed over from one to the other")
		}
		if a.Holder() == b.Holder() || len(a.Holder().Incarnation) < 16 {
			w.Error("two nodes have one incarnation")
		}
	})
}

func TestR6_ARestartedNodeWaitsForTheLeaseOfItsPredecessorToRunOut(t *testing.T) {
	inWorld(t, func(w *world) {
		gone := w.faulty(fault(leasetest.Release, 0, leasetest.ErrorBefore))
		a := w.node("a", gone)
		a.campaign(Election{})
		a.cancel() // it cannot release
		w.pass(5 * time.Second)
		b := w.node("a", nil)
		k := &work{w: w}
		b.campaign(Election{Lead: k.lead})
		w.pass(9 * time.Second)
		w.same("tenures before the old lease is over", len(k.terms()), 0)
		w.pass(2 * time.Second)
		w.same("terms after", k.terms(), []lease.Term{2})
	})
}

func TestR7_AnAcquireWithoutAnAnswerIsNeitherWonNorGivenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", w.faulty(fault(leasetest.Acquire, 1, leasetest.LostAnswer)))
		k := &work{w: w}
		c := n.campaign(Election{Lead: k.lead})
		w.pass(2500*time.Millisecond - 1)
		w.state(c, fsm.Acquiring)
		w.pass(1)
		w.state(c, fsm.Follower)
		w.pass(time.Second) // asked again: a Manager grants anew to who has it
		w.same("terms", k.terms(), []lease.Term{2})
		w.same("story", n.story("billing"), []string{"due", "failed", "due", "won"})
	})
}

func TestR7_ARenewalWithoutAnAnswerIsNotCountedAsDone(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Renew, 0, leasetest.ErrorAfter))
		k := &work{w: w}
		w.node("a", m).campaign(Election{Lead: k.lead})
		w.pass(leadFor)
		w.same("told at", k.told, []time.Duration{leadFor})
	})
}

func TestR8_TheLeaseIsRenewedWhileTheWorkWindsDownAndReleasedAfterIt(t *testing.T) {
	inWorld(t, func(w *world) {
		k, next := &work{w: w, linger: 20 * time.Second}, &work{w: w}
		a := w.node("a", nil)
		c := a.campaign(Election{Lead: k.lead})
		w.node("b", nil).campaign(Election{Lead: next.lead})
		running := 0 // pieces of work while a release was sent
		a.tap.before = func(x call) {
			if x.op == fsm.Release {
				k.mu.Lock()
				running += k.runs
				k.mu.Unlock()
			}
		}
		w.pass(time.Second)
		_ = c.Resign()
		w.pass(20*time.Second - 1) // more than a TTL
		w.state(c, fsm.Releasing)
		w.same("tenures of b before the work has returned", len(next.begun), 0)
		w.pass(1)
		w.same("tenures of b", len(next.begun), 1)
		w.same("story", a.story("billing"), []string{"due", "won", "resigned", "released", "sees b"})
		if a.tap.count(fsm.Release) != 1 || running != 0 {
			w.Errorf("%d releases, %d pieces of work running then", a.tap.count(fsm.Release), running)
		}
	})
}

func TestR8_AfterTheDrainLimitTheLeaseIsLeftToExpireAndTheOverrunReported(t *testing.T) {
	inWorld(t, func(w *world) {
		k, next := &work{w: w, linger: 90 * time.Second}, &work{w: w}
		a := w.node("a", nil)
		c := a.campaign(Election{Lead: k.lead})
		w.node("b", nil).campaign(Election{Lead: next.lead})
		_ = c.Resign()
		w.pass(30*time.Second - 1)
		w.same("overrun before the limit", c.Status().Overrun, false)
		w.pass(1)
		w.same("overrun at the limit", c.Status().Overrun, true)
		w.same("releases", a.tap.count(fsm.Release), 0)
		renewed := a.tap.count(fsm.Renew)
		w.pass(20 * time.Second)
		w.same("renewals after the limit", a.tap.count(fsm.Renew)-renewed, 0)
		w.same("tenures of b", len(next.begun), 1)
		w.pass(60 * time.Second)
		if story := a.story("billing"); !slices.Equal(story[:4], []string{"due", "won", "resigned", "overrun"}) {
			w.Errorf("story is %v", story)
		}
	})
}

func TestR9_TheNodeDoesNotStandAgainUntilTheOldWorkHasReturned(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w, linger: 50 * time.Second}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		w.store.Assign("billing", "") // lost, and free to take
		w.pass(50*time.Second - 1)
		w.state(c, fsm.Releasing)
		w.same("calls", n.tap.list(), []string{"0s acquire 1"})
		w.pass(10 * time.Second)
		w.state(c, fsm.Leader)
		w.same("pieces of work at once", k.most, 1)
		w.same("tenures", len(k.begun), 2)
	})
}

func TestR10_ALateGrantChangesNothingAndIsHandedBack(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Acquire, 1, leasetest.LateAnswer, 3*time.Second))
		n := w.node("a", m)
		k := &work{w: w}
		c := n.campaign(Election{Lead: k.lead, Timing: fsm.Timing{Retry: 1500 * time.Millisecond}})
		w.pass(3 * time.Second) // given up at 2.5 s, granted at 3 s
		w.state(c, fsm.Follower)
		w.same("tenures", len(k.begun), 0)
		w.same("calls", n.tap.list(), []string{"0s acquire 1", "3s release 1"})
		r, err := w.store.Read(w.Context(), "billing")
		if err != nil || !r.Vacant() || !r.Holder.IsZero() {
			w.Errorf("the store has %v, %v", r, err)
		}
	})
}

func TestR12_OneUnusableAnswerDoesNotEndATerm(t *testing.T) {
	for kind := leasetest.ErrorBefore; kind <= leasetest.LostAnswer; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				n := w.node("a", w.faulty(fault(leasetest.Renew, 2, kind)))
				k := &work{w: w}
				c := n.campaign(Election{Lead: k.lead})
				w.pass(10 * time.Second)
				w.pass(3500 * time.Millisecond)
				w.same("renewals", n.tap.count(fsm.Renew), 3)
				w.pass(time.Minute)
				w.state(c, fsm.Leader)
				w.same("terms", k.terms(), []lease.Term{1})
				if !errors.Is(c.Status().Err, nil) {
					w.Error("Status still tells of a fault that is over")
				}
			})
		})
	}
}

func TestR13_EachStartedTermHasExactlyOneEndOnEveryPath(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				m := w.faulty()
				k := &work{w: w}
				n := w.node("a", m)
				c := n.campaign(Election{Lead: func(ctx ctx, t *Tenure) error {
					if err := end.work; err != nil || end.returns {
						return err
					}
					return k.lead(ctx, t)
				}})
				if end.do != nil {
					w.pass(time.Second)
					end.do(scene{w, n, c, m})
				}
				w.pass(50 * time.Second)
				n.cancel()
				w.pass(0)
				leading, terms := false, 0
				for i, e := range n.events {
					if e.Seq != uint64(i+1) {
						w.Fatalf("event %d has the number %d", i+1, e.Seq)
					}
					switch {
					case e.Kind != events.Moved:
					case e.To == fsm.Leader && leading:
						w.Errorf("started twice: %v", n.story("billing"))
					case e.To == fsm.Leader:
						leading, terms = true, terms+1
					case e.From == fsm.Leader && !leading:
						w.Errorf("ended but not started: %v", n.story("billing"))
					case e.From == fsm.Leader:
						leading = false
						if terms == 1 && e.Reason != end.reason {
							w.Errorf("ended as %s, want %s", e.Reason, end.reason)
						}
					}
				}
				if leading || terms == 0 {
					w.Errorf("%d terms, and the last one has no end: %v", terms, n.story("billing"))
				}
			})
		})
	}
}

func TestR10_TheAnswerToAnEarlierCallIsNotTakenForThatOfThePresentOne(t *testing.T) {
	inWorld(t, func(w *world) {
		answers := []chan error{make(chan error), make(chan error)}
		var sent atomic.Int64
		o := &oracle{Manager: w.store, renew: func(lease.Lease) error {
			return <-answers[sent.Add(1)-1]
		}}
		n := w.node("a", struct{ lease.Manager }{o})
		k := &work{w: w}
		c := n.campaign(Election{Lead: k.lead})
		w.pass(9 * time.Second) // the first was sent at 5 s and given up at 7.5 s, the second sent at 8.5 s
		w.same("renewals", sent.Load(), 2)
		answers[0] <- nil
		w.pass(0)
		w.same("time left", c.Status().Remaining, leadFor-9*time.Second)
		o.renew = nil
		answers[1] <- errors.New("broken pipe")
		w.pass(time.Second)
		w.same("time left", c.Status().Remaining, leadFor)
		w.pass(time.Minute)
		w.same("tenures", len(k.begun), 1)
	})
}
