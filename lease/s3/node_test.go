//go:build linux

package s3

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
	each(t, func(t *testing.T, s server) {
		m := open(t, Config{Client: connect(t, s.Addr()), Bucket: "nowhere"})
		var calls atomic.Int64
		count := actor.Hooks{Called: func(string, fsm.Op, time.Duration, error) { calls.Add(1) }}
		begun := time.Now()
		// Calls are given time enough, so that each brings the fault itself.
		timing := fsm.Timing{TTL: time.Minute, CallTimeout: 5 * time.Second, Retry: 10 * time.Millisecond,
			Poll: 100 * time.Millisecond}
		c, node := contest.Stand(t, actor.Config{Manager: m, Hooks: count}, actor.Election{Key: "k", Timing: timing})
		contest.Eventually(t, "the store was asked three times", func() bool { return calls.Load() >= 3 })
		err := c.Status().Err
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "NoSuchBucket") {
			t.Errorf("Status says %v", err)
		}
		// Four polls, less a fifth at random, lie between two attempts.
		asked, took := calls.Load(), time.Since(begun)
		if most := 2 + int64(took/(320*time.Millisecond)); asked > most {
			t.Errorf("asked %d times in %v; want at most %d", asked, took, most)
		}
		node.Stop()
		log := node.String()
		if n := strings.Count(log, "level=WARN"); n != 1 || strings.Contains(log, servers.S3Secret) {
			t.Errorf("the fault is logged %d times:\n%s", n, log)
		}
	})
}

func TestANodeStandsByUntilTheServerComesAndIsFollowedWhenItGoes(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		s.Kill()
		e := actor.Election{Key: "k", TTL: 2 * time.Second}
		first, node := contest.Stand(t, actor.Config{Name: "first", Manager: opened(t, s.Addr())}, e)
		contest.Eventually(t, "the fault shows", func() bool { return first.Status().Err != nil })
		if err := first.Status().Err; errors.Is(err, lease.ErrPermanent) {
			t.Errorf("Status says %v", err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		contest.Wait(t, first, fsm.Leader)
		term := first.Status().Term
		second, _ := contest.Stand(t, actor.Config{Name: "second", Manager: opened(t, s.Addr())}, e)
		contest.Eventually(t, "the second knows the first", func() bool { return second.Status().Leader.Name == "first" })
		node.Stop()
		contest.Wait(t, second, fsm.Leader)
		if now := second.Status().Term; now <= term {
			t.Errorf("R4: term %d after %d", now, term)
		}
	})
}
