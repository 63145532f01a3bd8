//go:build linux

package redis

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// ear remembers the newest that a watch has told.
type ear struct {
	mu   sync.Mutex
	last lease.Record
	told int
}

func hear(t *testing.T, m *Manager, key string) *ear {
	t.Helper()
	e := &ear{}
	stop, err := m.Watch(key, func(r lease.Record) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.last = r
		e.told++
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return e
}

func (e *ear) newest() (lease.Record, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.told
}

func (e *ear) hears(t *testing.T, what string, ok func(lease.Record) bool) {
	t.Helper()
	contest.Eventually(t, what, func() bool {
		r, n := e.newest()
		return n > 0 && ok(r)
	})
}

// The poll is so rare in these tests that only what was published can be meant.
func rare(t *testing.T, addr string) *Manager {
	t.Helper()
	return open(t, Config{Client: connect(t, addr), Poll: time.Hour})
}

func TestAWatchTellsWhenALeaseHasRunOut(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := rare(t, s.Addr())
	e := hear(t, m, "k")
	l := granted(t, opened(t, s.Addr()), "k", alice, 2*time.Second)
	e.hears(t, "the grant", func(r lease.Record) bool { return r.Lease == l && !r.Vacant() })
	e.hears(t, "the end", func(r lease.Record) bool { return r.Lease == l && r.Vacant() })
	if _, n := e.newest(); n != 2 {
		t.Errorf("told %d times of a grant and its end", n)
	}
}

func TestAWatchGoesOnAfterTheServerRestarts(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis(durable...))
	m, other := rare(t, s.Addr()), opened(t, s.Addr())
	e := hear(t, m, "k")
	l := granted(t, other, "k", alice, time.Minute)
	e.hears(t, "the grant", func(r lease.Record) bool { return r.Lease == l })
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Release(soon(t), l); err != nil {
		t.Fatal(err)
	}
	e.hears(t, "the release, published before or after it is listened again", lease.Record.Vacant)
	l = granted(t, other, "k", bob, time.Minute)
	e.hears(t, "the grant after the restart", func(r lease.Record) bool { return r.Lease == l })
}

func TestAWatchGoesOnAfterAPartition(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	for _, f := range []servers.Fault{servers.Blackhole, servers.DropAnswers, servers.Reset, servers.HalfOpen} {
		t.Run(f.String(), func(t *testing.T) {
			p := servers.TestProxy(t, s.Addr())
			m, other := rare(t, p.Addr()), opened(t, s.Addr())
			key := "k " + f.String()
			e := hear(t, m, key)
			l := granted(t, other, key, alice, time.Minute)
			e.hears(t, "the grant", func(r lease.Record) bool { return r.Lease == l })
			p.Set(f)
			if err := other.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			l = granted(t, other, key, bob, time.Minute)
			p.Set(servers.Pass)
			e.hears(t, "what happened meanwhile", func(r lease.Record) bool { return r.Lease == l })
		})
	}
}

// Nothing is ever received on a connection that is dead at the other end.
func TestASilentSubscriptionIsReplaced(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	p := servers.TestProxy(t, s.Addr())
	m := rare(t, p.Addr())
	m.silence = 200 * time.Millisecond
	hear(t, m, "k")
	contest.Eventually(t, "it is subscribed", func() bool { return subscribers(t, s.Addr()) == 1 })
	before := do(t, s.Addr(), "CLIENT", "LIST", "TYPE", "pubsub").(string)
	p.Set(servers.Blackhole)
	time.Sleep(3 * m.silence)
	p.Set(servers.Pass)
	contest.Eventually(t, "another connection listens", func() bool {
		now := do(t, s.Addr(), "CLIENT", "LIST", "TYPE", "pubsub").(string)
		return now != "" && strings.Fields(now)[0] != strings.Fields(before)[0] // id=
	})
}

func TestManyKeysAreWatchedOverOneConnection(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m, other := rare(t, s.Addr()), opened(t, s.Addr())
	const many = 3 * batch
	ears, leases := make([]*ear, many), make([]lease.Lease, many)
	for i := range many {
		ears[i] = hear(t, m, strconv.Itoa(i))
	}
	contest.Eventually(t, "it is subscribed", func() bool { return subscribers(t, s.Addr()) == 1 })
	for i := range many {
		leases[i] = granted(t, other, strconv.Itoa(i), alice, time.Minute)
	}
	for i, e := range ears {
		e.hears(t, "the grant of "+strconv.Itoa(i), func(r lease.Record) bool { return r.Lease == leases[i] })
	}
	if n := subscribers(t, s.Addr()); n != 1 {
		t.Errorf("%d connections for %d keys", n, many)
	}
}

func TestPollingMakesUpForWhatIsNotHeard(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	rights(t, s.Addr(), least(t), "-subscribe")
	m := open(t, Config{Client: connect(t, s.Addr(), as("tenure", "s3cret")), Poll: 20 * time.Millisecond})
	e := hear(t, m, "k")
	l := granted(t, opened(t, s.Addr()), "k", alice, time.Minute)
	e.hears(t, "the grant", func(r lease.Record) bool { return r.Lease == l })
	if n := subscribers(t, s.Addr()); n != 0 {
		t.Errorf("%d connections listen without the right to", n)
	}
}

func TestARecordThatIsOfNoUseDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := rare(t, s.Addr())
	do(t, s.Addr(), "SET", m.Record("string"), "x")
	do(t, s.Addr(), "HSET", m.Record("hash"), "colour", "red")
	useless := []*ear{hear(t, m, "string"), hear(t, m, "hash")}
	l := granted(t, opened(t, s.Addr()), "k", alice, time.Minute)
	hear(t, m, "k").hears(t, "the grant", func(r lease.Record) bool { return r.Lease == l })
	for _, e := range useless {
		if r, n := e.newest(); n > 0 {
			t.Errorf("told of a record that is none: %+v", r)
		}
	}
	keys, _ := overdue(m.audience.Loop(), time.Now())
	if len(keys) > 0 {
		t.Errorf("%q are read again and again", keys)
	}
}

func TestAWatchEndsThoughTheServerHangs(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := rare(t, s.Addr())
	stop, err := m.Watch("k", func(lease.Record) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	heard(m.audience.Loop(), "")
	begun := time.Now()
	stop()
	stop()
	if took := time.Since(begun); took > readLimit {
		t.Errorf("stop took %v", took)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Watch("", func(lease.Record) {}); err == nil {
		t.Error("a key that is none can be watched")
	}
}
