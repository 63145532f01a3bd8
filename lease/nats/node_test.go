package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// stand has a node of its own stand for key, for the length of the test.
func stand(t *testing.T, m lease.Manager, key string, ttl time.Duration, hooks actor.Hooks,
) (*actor.Campaign, *contest.Node) {
	t.Helper()
	return contest.Stand(t, actor.Config{Manager: m, Hooks: hooks},
		actor.Election{Key: key, TTL: ttl, Timing: fsm.Timing{Grace: -1}})
}

func TestANodeStandsByUntilTheServerComes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.Kill()
	c, book := stand(t, open(t, s.Addr()), "stands by", 2*time.Second, actor.Hooks{})
	contest.Eventually(t, "its status says that the server does not answer", func() bool {
		err := c.Status().Err
		return err != nil && strings.Contains(err.Error(), "no answer from")
	})
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, c, fsm.Leader)
	if n := book.Count("no usable answer"); n != 1 {
		t.Errorf("the log complains %d times; want once:\n%s", n, book)
	}
}

func TestAnotherLeadsAtOnceAfterAResignation(t *testing.T) {
	t.Parallel()
	key := fresh("handover")
	a, _ := stand(t, open(t, shared.Addr()), key, time.Minute, actor.Hooks{})
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, open(t, shared.Addr()), key, time.Minute, actor.Hooks{})
	contest.Eventually(t, "the follower knows the leader", func() bool { return !b.Status().Leader.IsZero() })
	begun := time.Now()
	if err := a.Resign(); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, b, fsm.Leader)
	if took := time.Since(begun); took > 15*time.Second { // a poll of a lease of a minute comes after 16 s or more
		t.Errorf("it took %v; the watch should have told", took)
	}
}

func TestALeaderStopsInTimeWhenTheServerHangsAndLeadsAgainAfterwards(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, _ := stand(t, open(t, s.Addr()), "hangs", time.Second, actor.Hooks{})
	contest.Wait(t, c, fsm.Leader)
	term := c.Status().Term
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "it stops leading", func() bool { return !c.Status().Leading })
	time.Sleep(time.Second) // past the end of the lease
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "it leads another term", func() bool { st := c.Status(); return st.Leading && st.Term > term })
}

func TestALeaderThatIsCutOffIsReplacedAndFollows(t *testing.T) {
	t.Parallel()
	p := servers.TestProxy(t, shared.Addr())
	key := fresh("cut off")
	a, _ := stand(t, open(t, p.Addr()), key, time.Second, actor.Hooks{})
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, open(t, shared.Addr()), key, time.Second, actor.Hooks{})
	p.Set(servers.Blackhole)
	contest.Wait(t, b, fsm.Leader)
	if a.Status().Leading {
		t.Error("two lead")
	}
	p.Set(servers.Pass)
	contest.Eventually(t, "the old leader knows the new one", func() bool {
		st := a.Status()
		return st.State == fsm.Follower && st.Term >= b.Status().Term && st.Leader.Name == b.Status().Leader.Name
	})
}

func TestALeaderWhoseKeyIsPurgedByHandStopsAtOnce(t *testing.T) {
	t.Parallel()
	m, key := open(t, shared.Addr()), fresh("by hand")
	c, _ := stand(t, m, key, time.Minute, actor.Hooks{})
	contest.Wait(t, c, fsm.Leader)
	term := c.Status().Term
	if err := deleteByHand(t.Context(), m, key); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	contest.Eventually(t, "it leads another term", func() bool { st := c.Status(); return st.Leading && st.Term > term })
	if took := time.Since(begun); took > 15*time.Second { // the next renewal would have come after 16 s or more
		t.Errorf("it took %v; the watch should have told", took)
	}
}
