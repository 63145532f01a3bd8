package actor

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestPauseEndsATermAndResumeStandsAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		_ = c.Pause()
		_ = c.Pause()
		w.pass(0)
		w.same("story", n.story("billing"), []string{"due", "won", "paused", "released"})
		w.pass(10 * time.Minute)
		if st := c.Status(); st.State != fsm.Follower || !st.Paused || n.tap.count(fsm.Acquire) != 1 {
			w.Errorf("status is %+v", st)
		}
		_ = c.Resume()
		w.pass(0)
		if st := c.Status(); !st.Leading || st.Paused {
			w.Errorf("status is %+v", st)
		}
		w.same("terms", k.terms(), []lease.Term{1, 2})
	})
}

func TestAPausedFollowerDoesNotStandThoughTheLeaseIsFree(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.node("a", nil), w.node("b", nil)
		c := a.campaign(Election{})
		d := b.campaign(Election{})
		_ = d.Pause()
		w.pass(time.Second)
		_ = c.Pause()
		w.pass(time.Minute)
		w.state(d, fsm.Follower)
		w.state(c, fsm.Follower)
		_ = d.Resume()
		w.pass(0)
		w.state(d, fsm.Leader)
	})
}

func TestAPauseDuringAnAcquireGivesBackWhatIsGranted(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", w.faulty(fault(leasetest.Acquire, 1, leasetest.Slow, time.Second)))
		c := n.campaign(Election{Lead: k.lead})
		_ = c.Pause()
		w.pass(2 * time.Second)
		w.same("story", n.story("billing"), []string{"due", "paused", "released"})
		w.same("tenures", len(k.begun), 0)
		if st := c.Status(); !st.Paused {
			w.Errorf("status is %+v", st)
		}
	})
}

func TestAnElectionMayBeAddedPaused(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		c := n.campaign(Election{Paused: true})
		w.pass(time.Minute)
		w.same("calls", len(n.tap.list()), 0)
		if !c.Status().Paused {
			w.Error("it does not say that it is paused")
		}
		_ = c.Resume()
		w.pass(0)
		w.state(c, fsm.Leader)
	})
}

func TestRequestsThatCollectBeforeTheyAreReadKeepTheirMeaning(t *testing.T) {
	for _, test := range []struct {
		name  string
		ask   []func(*Campaign) error
		story []string
	}{
		{"pause, resume", list((*Campaign).Pause, (*Campaign).Resume),
			[]string{"due", "won", "paused", "released", "due", "won"}},
		{"resume, pause", list((*Campaign).Resume, (*Campaign).Pause), []string{"due", "won", "paused", "released"}},
		{"pause, resume, pause", list((*Campaign).Pause, (*Campaign).Resume, (*Campaign).Pause),
			[]string{"due", "won", "paused", "released"}},
		{"resign, resign", list((*Campaign).Resign, (*Campaign).Resign), []string{"due", "won", "resigned", "released"}},
		{"withdraw, resume", list((*Campaign).Withdraw, (*Campaign).Resume), []string{"due", "won", "stopped", "released"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				hold, stuck := make(chan struct{}), true
				n := w.node("a", nil, func(c *Config) {
					c.Hooks.Called = func(string, fsm.Op, time.Duration, error) {
						if stuck {
							stuck = false
							<-hold // the actor reads nothing meanwhile
						}
					}
				})
				c := n.campaign(Election{})
				for _, ask := range test.ask {
					if err := ask(c); err != nil {
						w.Error(err)
					}
				}
				n.mail.mu.Lock()
				waiting := len(n.mail.queue)
				n.mail.mu.Unlock()
				close(hold)
				w.pass(0)
				w.same("story", n.story("billing"), test.story)
				if waiting > 3 { // these requests, a watch that began, its news
					w.Errorf("%d messages waited", waiting)
				}
			})
		})
	}
}

func list(ask ...func(*Campaign) error) []func(*Campaign) error { return ask }

func TestCampaignsMayBeAddedAndWithdrawnWhileTheNodeRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", nil)
		w.pass(time.Minute)
		c := n.campaign(Election{Lead: k.lead})
		w.state(c, fsm.Leader)
		if _, err := n.Campaign(Election{Key: "billing"}); err == nil {
			w.Error("one key was accepted twice")
		}
		_ = c.Withdraw()
		w.pass(0)
		<-c.Done()
		w.same("story", n.story("billing"), []string{"due", "won", "stopped", "released"})
		if err := errors.Join(c.Err(), n.err); err != nil || n.hasEnded() {
			w.Errorf("the node has ended, or an error: %v", err)
		}
		for name, ask := range map[string]func() error{"resign": c.Resign, "hand over": c.HandOver, "pause": c.Pause,
			"resume": c.Resume, "withdraw": c.Withdraw} {
			if err := ask(); !errors.Is(err, ErrStopped) {
				w.Errorf("%s after the end: %v", name, err)
			}
		}
		again := n.campaign(Election{Lead: k.lead})
		w.state(again, fsm.Leader)
		w.same("terms", k.terms(), []lease.Term{1, 2})
		if n.Find("billing") != again || c.Status().Leading {
			w.Error("the old campaign is taken for the new one")
		}
	})
}

func TestAWithdrawnElectionEndsItsWatch(t *testing.T) {
	inWorld(t, func(w *world) {
		stand := &newsstand{Manager: w.store}
		n := w.node("a", stand)
		c := n.campaign(Election{})
		_ = c.Withdraw()
		w.pass(0)
		<-c.Done()
		w.same("watches begun and ended", []int{stand.began, stand.ended}, []int{1, 1})
	})
}

func TestAFollowerIsWithdrawnWithoutACallToTheStore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.node("a", nil).campaign(Election{})
		n := w.node("b", nil)
		c := n.campaign(Election{})
		calls := len(n.tap.list())
		_ = c.Withdraw()
		w.pass(0)
		<-c.Done()
		w.same("calls", len(n.tap.list()), calls)
	})
}

func TestElectionsAreAddedAskedAndWithdrawnFromManyGoroutines(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				for range 20 {
					c, err := n.Campaign(Election{Key: string(rune('a' + i)), TTL: ttl})
					if err != nil {
						w.Error(err)
						return
					}
					_, _ = c.Pause(), c.Resume()
					_, _ = c.Resign(), c.HandOver()
					if err := c.Withdraw(); err != nil {
						w.Error(err)
					}
					<-c.Done()
				}
			})
		}
		callers.Wait()
		for c := range n.Campaigns() {
			w.Errorf("%q is left", c.Key())
		}
	})
}

func TestHandOverWaitsForAnotherToLead(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.node("a", nil), w.node("b", nil)
		c, d := a.campaign(Election{}), b.campaign(Election{})
		_ = c.HandOver()
		w.pass(0)
		w.state(d, fsm.Leader)
		w.same("story", a.story("billing"), []string{"due", "won", "handed_over", "released", "sees b"})
		w.pass(time.Second)
		_ = d.Withdraw()
		w.pass(0)
		w.state(c, fsm.Leader) // a follower like any other again
	})
}
