//go:build linux

package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestTermsRiseThoughTheServerForgetsEverything(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	l := granted(t, m, "k", alice, time.Minute)
	for range 3 {
		s.Kill()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLost(t, "what the server has forgotten is renewed", m.Renew(soon(t), l, time.Minute))
		wantLost(t, "what the server has forgotten is released", m.Release(soon(t), l))
		next := granted(t, m, "k", bob, time.Minute)
		if next.Term <= l.Term {
			t.Fatalf("R4: term %d after %d", next.Term, l.Term)
		}
		l = next
	}
}

func TestALeaseOutlivesAKilledServerThatKeepsALog(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis(durable...))
	m := opened(t, s.Addr())
	l := granted(t, m, "k", alice, time.Minute)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := m.Acquire(soon(t), "k", bob, time.Minute)
	wantHeld(t, "another stands after the restart", err)
	if err := m.Renew(soon(t), l, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestALeaseRunsOutWhileTheServerHangs(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m, other := opened(t, s.Addr()), opened(t, s.Addr())
	const ttl = 300 * time.Millisecond
	l := granted(t, m, "k", alice, ttl)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*ttl)
	defer cancel()
	if err := m.Renew(ctx, l, ttl); err == nil {
		t.Error("a server that hangs has renewed")
	}
	if err := s.Resume(); err != nil { // the renewal arrives now, and may count
		t.Fatal(err)
	}
	var next lease.Lease
	contest.Eventually(t, "another is granted it", func() bool {
		var err error
		next, err = other.Acquire(soon(t), "k", bob, time.Minute)
		return err == nil
	})
	wantLost(t, "the one that hung", m.Renew(soon(t), l, ttl))
	if next.Term <= l.Term {
		t.Errorf("R4: term %d after %d", next.Term, l.Term)
	}
}

// The client repeats by itself what it gets no answer to, each time with the same number.
func TestAnAcquireThatTheClientRepeatsIsGrantedOnce(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	p := servers.TestProxy(t, s.Addr())
	c := connect(t, p.Addr(), func(o *goredis.Options) { o.ReadTimeout = time.Minute })
	m, direct := open(t, Config{Client: c}), opened(t, s.Addr())
	granted(t, m, "other", alice, time.Minute) // the connection is there
	p.Set(servers.DropAnswers)
	got := make(chan lease.Lease, 1)
	go func() {
		l, err := m.Acquire(soon(t), "k", alice, time.Minute)
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	var first lease.Record
	contest.Eventually(t, "the server has granted it, and nobody knows", func() bool {
		var err error
		if first, err = direct.Read(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		return first.Holder == alice
	})
	p.Set(servers.Pass) // resets the connection, so that the client makes another and asks again
	if l := <-got; l.Term != first.Term {
		t.Errorf("granted term %d; the first of the repeated requests was granted %d", l.Term, first.Term)
	}
	if err := direct.Release(t.Context(), first.Lease); err != nil {
		t.Errorf("the lease was granted again: %v", err)
	}
}

// at runs the script as if the request had been on its way until now.
func at(t *testing.T, m *Manager, r request) status {
	t.Helper()
	a, err := m.do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a.status
}

func TestAnAcquireThatArrivesLateChangesNothing(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m, direct := opened(t, s.Addr()), opened(t, s.Addr())
	early := request{op: "acquire", lease: lease.Lease{Key: "k", Holder: alice}, ttl: time.Minute, call: m.calls.Add(1)}
	l := granted(t, m, "k", alice, time.Minute)
	now := request{op: "acquire", lease: l, ttl: time.Minute, call: m.calls.Load()}
	for _, c := range []struct {
		what string
		r    request
		want status
	}{{"one that was overtaken", early, late}, {"the very one that was granted", now, done}} {
		if got := at(t, m, c.r); got != c.want {
			t.Errorf("%s is answered %q; want %q", c.what, got, c.want)
		}
		if err := direct.Renew(t.Context(), l, time.Minute); err != nil {
			t.Fatalf("R5: %s has ended the tenure: %v", c.what, err)
		}
	}
	if err := direct.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for _, r := range []request{early, now} {
		if got := at(t, m, r); got != late {
			t.Errorf("call %d after the release is answered %q; want %q", r.call, got, late)
		}
	}
	if r, err := direct.Read(t.Context(), "k"); err != nil || !r.Holder.IsZero() || r.Term != l.Term {
		t.Errorf("%+v, %v; want a vacant record of term %d", r, err, l.Term)
	}
	granted(t, m, "k", alice, time.Minute) // whoever is still there is granted it
}

func TestAnAcquireThatIsOvertakenAsksAgain(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	l := granted(t, m, "k", alice, time.Minute)
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	m.calls.Store(0) // the next numbers are old
	do(t, s.Addr(), "HSET", m.Record("k"), "call", "3")
	granted(t, m, "k", bob, time.Minute)
	do(t, s.Addr(), "HSET", m.Record("k"), "call", "1000000")
	if _, err := m.Acquire(t.Context(), "k", bob, time.Minute); err == nil || !strings.Contains(err.Error(), "overtaken") {
		t.Errorf("%v; it does not go on for ever", err)
	}
}

func TestAClockThatIsSetBackDelaysByOneLeaseAtMost(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	const ttl = 500 * time.Millisecond
	l := granted(t, m, "k", alice, ttl)
	do(t, s.Addr(), "HINCRBY", m.Record("k"), "until", time.Hour.Microseconds()) // as if it was written an hour from now
	begun := time.Now()
	_, err := m.Acquire(t.Context(), "k", bob, ttl)
	wantHeld(t, "another stands", err)
	if r, _ := lease.Refusal(err); r.Remaining > ttl {
		t.Errorf("%v remain of %v", r.Remaining, ttl)
	}
	contest.Eventually(t, "the lease runs out", func() bool {
		next, err := m.Acquire(t.Context(), "k", bob, ttl)
		return err == nil && next.Term > l.Term
	})
	if took := time.Since(begun); took < ttl*98/100 {
		t.Errorf("it was given away after %v; its holder may count on %v from now", took, ttl)
	}
}

func TestAServerThatLosesItsScriptsIsTaughtThemAgain(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	for _, replicas := range []int{0, 1} {
		m := open(t, Config{Client: connect(t, s.Addr()), Replicas: replicas})
		do(t, s.Addr(), "SCRIPT", "FLUSH")
		if _, err := m.Acquire(soon(t), "k", alice, time.Minute); err != nil && !strings.Contains(err.Error(), "0 of 1") {
			t.Errorf("%v", err)
		}
	}
	m := opened(t, s.Addr())
	do(t, s.Addr(), "SCRIPT", "FLUSH")
	told := make(chan lease.Record, 1)
	stop, err := m.Watch("k", func(r lease.Record) { told <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if r := <-told; r.Holder != alice {
		t.Errorf("told of %+v", r)
	}
}

// The script of ExampleManager_Record.
func TestAResourceInTheServerRefusesAReplacedLeader(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m, c := opened(t, s.Addr()), connect(t, s.Addr())
	pay := goredis.NewScript(`
		if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('STALE another leads') end
		return redis.call('INCRBY', KEYS[2], ARGV[2])`)
	by := func(l lease.Lease) error {
		return pay.Run(t.Context(), c, []string{m.Record("k"), "ledger:{k}"}, l.Term.String(), 100).Err()
	}
	first := granted(t, m, "k", alice, minTTL)
	if err := by(first); err != nil {
		t.Fatal(err)
	}
	var second lease.Lease
	contest.Eventually(t, "the lease has run out", func() bool {
		var err error
		second, err = m.Acquire(t.Context(), "k", bob, time.Minute)
		return err == nil
	})
	if err := by(first); !goredis.HasErrorPrefix(err, "STALE") {
		t.Errorf("a leader that was replaced pays: %v", err)
	}
	if err := by(second); err != nil {
		t.Error(err)
	}
	if sum := do(t, s.Addr(), "GET", "ledger:{k}"); sum != "200" {
		t.Errorf("paid %v", sum)
	}
}
