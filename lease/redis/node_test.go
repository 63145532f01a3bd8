//go:build linux

package redis

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestANodeTellsOfAPermanentFaultOnceAndIsInNoHurry(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis("--requirepass", "s3cret"))
	m := open(t, Config{Client: connect(t, s.Addr(), as("", "wrong"))})
	var calls atomic.Int64
	count := actor.Hooks{Called: func(string, fsm.Op, time.Duration, error) { calls.Add(1) }}
	begun := time.Now()
	// Calls are given time enough, so that each brings the fault itself.
	timing := fsm.Timing{TTL: time.Minute, CallTimeout: 5 * time.Second, Retry: 10 * time.Millisecond,
		Poll: 100 * time.Millisecond}
	c, node := contest.Stand(t, actor.Config{Manager: m, Hooks: count}, actor.Election{Key: "k", Timing: timing})
	contest.Eventually(t, "the store was asked three times", func() bool { return calls.Load() >= 3 })
	err := c.Status().Err
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "user and password") {
		t.Errorf("Status says %v", err)
	}
	// Four polls, less a fifth at random, lie between two attempts.
	asked, took := calls.Load(), time.Since(begun)
	if most := 2 + int64(took/(320*time.Millisecond)); asked > most {
		t.Errorf("asked %d times in %v; want at most %d", asked, took, most)
	}
	node.Stop()
	log := node.String()
	n := strings.Count(log, "level=WARN")
	if n != 1 || !strings.Contains(log, "WRONGPASS") || strings.Contains(log, "s3cret") {
		t.Errorf("the fault is logged %d times:\n%s", n, log)
	}
}

func TestANodeStandsByUntilTheServerComes(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	s.Kill()
	c, _ := contest.Stand(t, actor.Config{Manager: opened(t, s.Addr())}, actor.Election{Key: "k", TTL: time.Second})
	contest.Eventually(t, "the fault shows", func() bool { return c.Status().Err != nil })
	if err := c.Status().Err; errors.Is(err, lease.ErrPermanent) {
		t.Errorf("Status says %v", err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, c, fsm.Leader)
}

func TestAReleaseIsHeardOfBeforeTheNextPoll(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	e := actor.Election{Key: "k", TTL: 10 * time.Minute} // polls are minutes apart
	first, _ := contest.Stand(t, actor.Config{Name: "first", Manager: opened(t, s.Addr())}, e)
	contest.Wait(t, first, fsm.Leader)
	second, _ := contest.Stand(t, actor.Config{Name: "second", Manager: opened(t, s.Addr())}, e)
	contest.Eventually(t, "both watch", func() bool { return subscribers(t, s.Addr()) == 2 })
	contest.Eventually(t, "the second knows the first", func() bool { return second.Status().Leader.Name == "first" })
	if err := first.HandOver(); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, second, fsm.Leader)
}

func TestALeaseIsTakenAwayByHand(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	c, _ := contest.Stand(t, actor.Config{Name: "leader", Manager: m}, actor.Election{Key: "k", TTL: 3 * time.Second})
	for _, hand := range [][]any{
		{"DEL", m.Record("k")},
		{"HDEL", m.Record("k"), "holder", "incarnation", "meta", "ttl", "until"}, // as docs/stores/redis.md says
	} {
		contest.Wait(t, c, fsm.Leader)
		term := c.Status().Term
		do(t, s.Addr(), hand...)
		do(t, s.Addr(), "PUBLISH", "tenure:changes", "k")
		contest.Eventually(t, "the term ends and a greater one begins", func() bool {
			now := c.Status()
			return now.Leading && now.Term > term
		})
	}
}
