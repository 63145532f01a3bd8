//go:build linux

package sql

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// buffer is a log that a test reads while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), text)
}

// stand has a node stand for key until the test ends.
func stand(t *testing.T, m lease.Manager, name string) (*actor.Campaign, *buffer) {
	t.Helper()
	log := &buffer{}
	node, err := actor.New(actor.Config{Name: name, Manager: m, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	c, err := node.Campaign(actor.Election{Key: key, TTL: 2 * time.Second})
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
	return c, log
}

func leads(t *testing.T, c *actor.Campaign) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Wait(ctx, fsm.Leader); err != nil {
		t.Fatalf("%v; its status is %+v", err, c.Status())
	}
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
	if n := log.count("store gave no usable answer"); n != 2 {
		t.Errorf("the log says %d times that something is wrong; want once for the server and once for the table", n)
	}
	if err := m.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	leads(t, c)
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
	leads(t, a)
	b, _ := stand(t, client(), "b")
	status(t, b, func(error) bool { return b.Status().Leader.Name == "a" })
	if err := a.Pause(); err != nil { // one that resigns soon stands again, before the other on a busy machine
		t.Fatal(err)
	}
	leads(t, b)
	if first, second := a.Status().Term, b.Status().Term; second == 0 || second < first {
		t.Errorf("term %d follows %d", second, first)
	}
}
