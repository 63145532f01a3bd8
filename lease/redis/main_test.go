//go:build linux

package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = lease.Holder{Name: "alice", Incarnation: "a1", Meta: "10.0.0.1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "b1"}
)

// connect returns a client for the length of a test, with the timeouts of a hasty caller.
func connect(t servers.TB, addr string, change ...func(*goredis.Options)) *goredis.Client {
	o := &goredis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second}
	for _, f := range change {
		f(o)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func open(t servers.TB, c Config) *Manager {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// opened is a Manager with a client of its own.
func opened(t servers.TB, addr string) *Manager {
	t.Helper()
	return open(t, Config{Client: connect(t, addr)})
}

func granted(t *testing.T, m *Manager, key string, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// soon bounds one call.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, lease.ErrLost) {
		t.Errorf("%s: %v; want ErrLost", what, err)
	}
}

func wantHeld(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, lease.ErrHeld) {
		t.Errorf("%s: %v; want ErrHeld", what, err)
	}
}

// do runs a command behind the Manager's back.
func do(t servers.TB, addr string, args ...any) any {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { _ = c.Close() }()
	reply, err := c.Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}
