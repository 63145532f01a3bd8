package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// members starts etcd with three members for the length of a test.
func members(t *testing.T) *servers.Cluster {
	t.Helper()
	return servers.TestCluster(t, 3, func(i int, peers []string) servers.Spec { return servers.EtcdMember(i, peers) })
}

// through makes a client of these members of c.
func through(c *servers.Cluster, members ...int) func(*clientv3.Config) {
	return func(config *clientv3.Config) {
		config.Endpoints = nil
		for _, i := range members {
			config.Endpoints = append(config.Endpoints, c.Members[i].Addr())
		}
	}
}

// leads returns which member leads etcd, and the two that do not.
func leads(t *testing.T, m *Manager, c *servers.Cluster) (leader int, others []int) {
	t.Helper()
	contest.Eventually(t, "a member leads etcd", func() bool {
		leader, others = -1, nil
		for i, s := range c.Members {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			status, err := m.client.Status(ctx, s.Addr())
			cancel()
			switch {
			case err != nil || status.Leader == 0:
				return false
			case status.Leader == status.Header.MemberId:
				leader = i
			default:
				others = append(others, i)
			}
		}
		return leader >= 0 && len(others) == 2
	})
	return leader, others
}

// length is that of the leases in these tests: its grace is enough for a machine that is busy with clusters.
const length = 3 * time.Second

// The first contender reaches only the member that is killed, so that the second has to take over.
func TestAnElectionOutlivesTheLeaderOfEtcd(t *testing.T) {
	t.Parallel()
	c := members(t)
	all := open(t, "", through(c, 0, 1, 2))
	leader, _ := leads(t, all, c)
	l, campaigns := contest.Start(t, "outlives", length, open(t, "", through(c, leader)), all)
	term, _ := l.Now()
	c.Members[leader].Kill()
	contest.Wait(t, campaigns[1], fsm.Leader)
	contest.Eventually(t, "a later term works", func() bool { now, works := l.Now(); return works && now > term })
	// All leases begin anew when etcd elects a leader; the rest is for its election and for a busy machine.
	if idle, most := l.Idle(), 2*length+15*time.Second; idle > most {
		t.Errorf("nobody worked for %v; want %v at most", idle, most)
	}
}

func TestAClientOfThreeMembersDoesNotFeelTheDeathOfOne(t *testing.T) {
	t.Parallel()
	c := members(t)
	m := open(t, "", through(c, 0, 1, 2))
	leader, others := leads(t, m, c)
	l := grant(t, m, "held", holder("a"), time.Minute)
	for _, i := range []int{others[0], leader} {
		c.Members[i].Kill()
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			other, err := m.Acquire(ctx, fresh("other"), holder("a"), time.Minute)
			err = errors.Join(err, m.Renew(ctx, l, time.Minute))
			if err == nil {
				err = m.Release(ctx, other)
			}
			cancel()
			if err != nil && !errors.Is(err, lease.ErrLost) { // if the release was asked for twice
				t.Error(err)
			}
		}
		if err := c.Members[i].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALeaderThatReachesOnlyADeposedLeaderOfEtcdStopsBeforeAnotherIsGranted(t *testing.T) {
	t.Parallel()
	c := members(t)
	leader, others := leads(t, open(t, "", through(c, 0, 1, 2)), c)
	l, campaigns := contest.Start(t, "deposed", length, open(t, "", through(c, leader)),
		open(t, "", through(c, others...)))
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
	all := through(c, 0, 1, 2)
	m := open(t, "", all)
	l, campaigns := contest.Start(t, "majority", length, m, open(t, "", all))
	held := campaigns[0].Status()
	c.Members[1].Kill()
	c.Members[2].Kill()
	for what, call := range map[string]func(context.Context) error{
		"Acquire of a free key": func(ctx context.Context) error {
			_, err := m.Acquire(ctx, "free", holder("a"), length)
			return err
		},
		"Acquire of a held key": func(ctx context.Context) error {
			_, err := m.Acquire(ctx, "majority", holder("a"), length)
			return err
		},
		"Renew": func(ctx context.Context) error {
			return m.Renew(ctx, lease.Lease{Key: "majority", Holder: held.Leader, Term: held.Term}, length)
		},
		"Release": func(ctx context.Context) error {
			return m.Release(ctx, lease.Lease{Key: "never", Holder: holder("a"), Term: 1})
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
	for _, i := range []int{1, 2} {
		if err := c.Members[i].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	contest.Eventually(t, "a later term works", func() bool { now, works := l.Now(); return works && now > term })
}
