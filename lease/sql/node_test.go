//go:build linux

package sql

import (
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/lease"
)

// stand has a node stand for key until the test ends.
func stand(t *testing.T, m lease.Manager, name string) (*actor.Campaign, *contest.Node) {
	t.Helper()
	return contest.Stand(t, actor.Config{Name: name, Manager: m}, actor.Election{Key: key, TTL: 2 * time.Second})
}

func TestANodeStandsByUntilItsServerAndItsTableAreThere(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	s.Kill()
	m, err := New(Config{DB: dial(t, s.Addr(), root), Dialect: MySQL})
	if err != nil {
		t.Fatal(err)
	}
	c, log := stand(t, m, "a")
	status(t, c, func(err error) bool { return err != nil && !errors.Is(err, lease.ErrPermanent) })
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	status(t, c, func(err error) bool { return errors.Is(err, lease.ErrPermanent) })
	time.Sleep(time.Second)
	if n := log.Count("store gave no usable answer"); n != 2 {
		t.Errorf("the log says %d times that something is wrong; want once for the server and once for the table", n)
	}
	if err := m.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, c, fsm.Leader)
}

// status waits until the node's latest error is as it should be.
func status(t *testing.T, c *actor.Campaign, as func(error) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !as(c.Status().Err); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("its status is %+v", c.Status())
		}
	}
}

func TestAFollowerTakesOverFromALeaderOfTheSameFile(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	client := func() *Manager { return open(t, Config{DB: lite(t, path, wal), Dialect: SQLite}) }
	a, _ := stand(t, client(), "a")
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, client(), "b")
	status(t, b, func(error) bool { return b.Status().Leader.Name == "a" })
	if err := a.Pause(); err != nil { // one that resigns soon stands again, before the other on a busy machine
		t.Fatal(err)
	}
	contest.Wait(t, b, fsm.Leader)
	if first, second := a.Status().Term, b.Status().Term; second == 0 || second < first {
		t.Errorf("term %d follows %d", second, first)
	}
}
