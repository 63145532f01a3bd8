//go:build linux

package azureblob

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// stand has a node stand for key until the test ends.
func stand(t *testing.T, m *Manager, name string) *actor.Campaign {
	t.Helper()
	node, err := actor.New(actor.Config{Name: name, Manager: m})
	if err != nil {
		t.Fatal(err)
	}
	c, err := node.Campaign(actor.Election{Key: key, TTL: m.Limits().MinTTL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	})
	return c
}

func eventually(t *testing.T, c *actor.Campaign, what string, as func(actor.Status) bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !as(c.Status()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within two minutes: %s; its status is %+v", what, c.Status())
		}
	}
}

func TestANodeStandsByUntilTheServiceIsThereAndIsEvictedByABreak(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	s.Kill()
	m := open(t, Config{Container: client(t, s.Addr(), "leases")})
	c := stand(t, m, "a")
	eventually(t, c, "it says that there is no service", func(s actor.Status) bool {
		return s.Err != nil && !errors.Is(s.Err, lease.ErrPermanent)
	})
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, c, "it leads", func(s actor.Status) bool { return s.Leading })
	first := c.Status().Term
	if _, err := byHand(t, m, nil).BreakLease(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, c, "its tenure ends", func(s actor.Status) bool { return !s.Leading && s.State != fsm.Leader })
	other := stand(t, open(t, Config{Container: client(t, s.Addr(), "leases")}), "b")
	eventually(t, other, "one of them leads again", func(actor.Status) bool {
		return c.Status().Leading || other.Status().Leading
	})
	if next := max(c.Status().Term, other.Status().Term); next <= first {
		t.Errorf("term %d follows %d", next, first)
	}
}

func TestNoPermissionIsSeenInTheStatus(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	c := stand(t, open(t, Config{Container: clientWith(t, s.Addr(), "leases", "c2VjcmV0"), Mode: Swap}), "a")
	eventually(t, c, "it needs attention", func(s actor.Status) bool { return errors.Is(s.Err, lease.ErrPermanent) })
}
