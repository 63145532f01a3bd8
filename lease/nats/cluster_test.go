package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

const (
	// length is that of the leases in these tests: its grace is enough for a machine that is busy with clusters.
	length = 3 * time.Second
	// electing is how long servers may take to elect a leader of the stream: one waits for up to 9 s until it stands, and
	// perhaps again.
	electing = 2 * 9 * time.Second
)

// members starts a cluster of three servers with a bucket on each, for the length of a test.
func members(t *testing.T) *servers.Cluster {
	t.Helper()
	c := servers.TestCluster(t, 3, func(i int, peers []string) servers.Spec { return servers.NATSMember(i, peers) })
	js := connect(t, c.Members[0].Addr())
	contest.Eventually(t, "there is a bucket on three servers", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.CreateOrUpdateKeyValue(ctx, Bucket(bucket, 3))
		return err == nil
	})
	return c
}

// through returns a Manager with a connection to one of these members, and to no other.
func through(t *testing.T, c *servers.Cluster, members ...int) *Manager {
	t.Helper()
	var addrs []string
	for _, i := range members {
		addrs = append(addrs, c.Members[i].Addr())
	}
	return open(t, strings.Join(addrs, ",nats://"), nats.IgnoreDiscoveredServers())
}

// leads returns which member leads the stream and the two that follow, all up to date.
func leads(t *testing.T, m *Manager) (leader int, others []int) {
	t.Helper()
	contest.Eventually(t, "a member leads the stream and the others follow", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := m.js.Stream(ctx, m.stream())
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		info := s.CachedInfo().Cluster
		number := func(name string) (i int) { _, _ = fmt.Sscanf(name, "member-%d", &i); return i }
		leader, others = number(info.Leader), nil
		for _, r := range info.Replicas {
			if r.Current && !r.Offline {
				others = append(others, number(r.Name))
			}
		}
		return info.Leader != "" && len(others) == 2
	})
	return leader, others
}

// The first contender reaches only the server that is killed, so that the second has to take over.
func TestAnElectionOutlivesTheLeaderOfTheStream(t *testing.T) {
	t.Parallel()
	c := members(t)
	all := through(t, c, 0, 1, 2)
	leader, _ := leads(t, all)
	l, campaigns := contest.Start(t, "outlives", length, through(t, c, leader), all)
	term, _ := l.Now()
	c.Members[leader].Kill()
	contest.Wait(t, campaigns[1], fsm.Leader)
	contest.Eventually(t, "a later term works", func() bool { now, works := l.Now(); return works && now > term })
	if idle, most := l.Idle(), length+electing+15*time.Second; idle > most { // the rest is for a busy machine
		t.Errorf("nobody worked for %v; want %v at most", idle, most)
	}
	if err := c.Members[leader].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "the old leader knows the new one", func() bool {
		return campaigns[0].Status().Leader == campaigns[1].Status().Leader
	})
}

func TestALeaseOutlivesTheLeaderOfTheStreamAndItsTermsRise(t *testing.T) {
	t.Parallel()
	c := members(t)
	m := through(t, c, 0, 1, 2)
	l := grant(t, m, "held", holder("a"), time.Minute)
	last := l.Term
	for range 2 {
		leader, _ := leads(t, m)
		c.Members[leader].Kill()
		contest.Eventually(t, "the lease is renewed", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := m.Renew(ctx, l, time.Minute)
			if errors.Is(err, lease.ErrLost) {
				t.Fatal(err)
			}
			return err == nil
		})
		refused(t, m, l)
		if next := grant(t, m, fresh("next"), holder("b"), time.Minute); next.Term <= last {
			t.Errorf("term %d after %d, though the bucket counts them together", next.Term, last)
		} else {
			last = next.Term
		}
		if err := c.Members[leader].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALeaderThatReachesOnlyADeposedLeaderOfTheStreamStopsBeforeAnotherIsGranted(t *testing.T) {
	t.Parallel()
	c := members(t)
	leader, others := leads(t, through(t, c, 0, 1, 2))
	l, campaigns := contest.Start(t, "deposed", length, through(t, c, leader), through(t, c, others...))
	term, _ := l.Now()
	c.Cut(leader)
	contest.Wait(t, campaigns[1], fsm.Leader)
	if now := campaigns[1].Status(); campaigns[0].Status().Leading || now.Term <= term {
		t.Errorf("term %d leads after term %d, %+v beside it", now.Term, term, campaigns[0].Status())
	}
	c.Heal(leader)
	contest.Eventually(t, "the old leader knows the new one", func() bool {
		return campaigns[0].Status().Leader == campaigns[1].Status().Leader
	})
}

func TestWithoutAMajorityNobodyLeadsAndNothingIsRefused(t *testing.T) {
	t.Parallel()
	c := members(t)
	m := through(t, c, 0, 1, 2)
	leader, others := leads(t, m)
	l, campaigns := contest.Start(t, "majority", length, m, through(t, c, 0, 1, 2))
	held := campaigns[0].Status()
	for _, i := range others {
		c.Members[i].Kill()
	}
	for what, call := range map[string]func(context.Context) error{
		"Acquire of a free key": func(ctx context.Context) error {
			_, err := m.Acquire(ctx, "free", holder("a"), length)
			return err
		},
		"Renew": func(ctx context.Context) error {
			return m.Renew(ctx, lease.Lease{Key: "majority", Holder: held.Leader, Term: held.Term}, length)
		},
		"Release": func(ctx context.Context) error {
			return m.Release(ctx, lease.Lease{Key: "majority", Holder: held.Leader, Term: held.Term})
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := call(ctx)
		cancel()
		if _, refusal := lease.Refusal(err); refusal || err == nil || errors.Is(err, lease.ErrPermanent) {
			t.Errorf("%s without a majority = %v; want that the outcome is unknown", what, err)
		}
	}
	contest.Eventually(t, "the leader stops", func() bool { _, works := l.Now(); return !works })
	term, _ := l.Now()
	time.Sleep(length)
	if now, works := l.Now(); works || now != term {
		t.Errorf("term %d works without a majority, after term %d", now, term)
	}
	for i, s := range c.Members {
		if i == leader {
			continue
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	contest.Eventually(t, "a later term works", func() bool { now, works := l.Now(); return works && now > term })
}
