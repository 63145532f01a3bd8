package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestALeaseAndItsTermSurviveTheServer(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd("--unsafe-no-fsync=false"))
	m, peer := open(t, s.Addr()), open(t, s.Addr())
	l := grant(t, m, "survives", holder("a"), time.Minute)
	s.Kill()
	contest.Eventually(t, "calls wait for the server until their context ends, and name it", func() bool {
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := m.Renew(short, l, time.Minute) // the first may find the end of the connection
		if _, refusal := lease.Refusal(err); refusal || err == nil {
			t.Fatalf("Renew without a server = %v; want an error that is no refusal", err)
		}
		return errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), s.Addr())
	})
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, peer, l)
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := grant(t, peer, l.Key, holder("b"), time.Minute); next.Term <= l.Term {
		t.Errorf("term %d after %d and a restart", next.Term, l.Term)
	}
}

// A server that has lost its data would grant terms once more. Who remembers greater ones refuses them.
func TestTermsOfAServerThatHasLostItsDataAreRefused(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	m := open(t, s.Addr())
	var l lease.Lease
	for range 10 {
		l = grant(t, m, "forgotten", holder("a"), time.Minute)
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	l = grant(t, m, "forgotten", l.Holder, time.Minute)
	if err := s.RestartEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), l, time.Minute); !errors.Is(err, lease.ErrLost) {
		t.Errorf("Renew = %v; want ErrLost", err)
	}
	_, err := m.Acquire(t.Context(), l.Key, l.Holder, time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "--bump-revision") {
		t.Errorf("Acquire = %v; want a permanent error with the remedy", err)
	}
	// A new process knows no better: this is what a fenced resource is for.
	if next := grant(t, open(t, s.Addr()), l.Key, l.Holder, time.Minute); next.Term >= l.Term {
		t.Errorf("term %d after %d: the server has not forgotten, so this test shows nothing", next.Term, l.Term)
	}
}

func TestAServerMayRaiseTheLengthOfALease(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd("--heartbeat-interval=200", "--election-timeout=2000"))
	m := open(t, s.Addr())
	l := grant(t, m, "raised", holder("a"), time.Second) // one and a half times the election timeout is 3 s
	sent := time.Now()
	if err := m.Renew(t.Context(), l, time.Second); err != nil {
		t.Fatal(err)
	}
	r, err := m.Read(t.Context(), l.Key)
	if err != nil || r.Remaining <= time.Second && time.Since(sent) < time.Second {
		t.Errorf("%v remain, %v; want about 3 s", r.Remaining, err)
	}
	if n := etcdLeases(t, m); n != 1 {
		t.Errorf("%d etcd leases; a renewal of a raised lease needs no other", n)
	}
}

func TestCallsEndWithTheirContextOnAConnectionThatIsHalfGone(t *testing.T) {
	t.Parallel()
	for _, f := range []servers.Fault{servers.HalfOpen, servers.Blackhole, servers.DropAnswers} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := servers.TestProxy(t, shared.Addr())
			m := open(t, p.Addr())
			key := fresh("half gone, " + f.String())
			l := grant(t, m, key, holder("a"), time.Minute)
			p.Set(f)
			for what, call := range map[string]func(context.Context) error{
				"Acquire": func(ctx context.Context) error {
					_, err := m.Acquire(ctx, key+", another", holder("a"), time.Minute)
					return err
				},
				"Renew":         func(ctx context.Context) error { return m.Renew(ctx, l, time.Minute) },
				"another Renew": func(ctx context.Context) error { return m.Renew(ctx, l, 2*time.Minute) },
				"Release":       func(ctx context.Context) error { return m.Release(ctx, l) },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				begun := time.Now()
				err := call(ctx)
				cancel()
				if _, refusal := lease.Refusal(err); refusal || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s = %v; want the end of the context", what, err)
				}
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("%s took %v; its context ended after 100 ms", what, took)
				}
			}
		})
	}
}

// gRPC asks no more often than every 10 s whether a connection is alive, whatever DialKeepAliveTime says.
func TestADeadConnectionIsNoticedByTheKeepAliveOfTheClient(t *testing.T) {
	t.Parallel()
	p := servers.TestProxy(t, shared.Addr())
	m := open(t, p.Addr(), func(c *clientv3.Config) {
		c.DialKeepAliveTime, c.DialKeepAliveTimeout = 10*time.Second, time.Second
	})
	l := grant(t, m, fresh("dead connection"), holder("a"), time.Minute)
	p.Set(servers.HalfOpen)
	for begun := time.Now(); p.Connections() == 1; {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_ = m.Renew(ctx, l, time.Minute) // a call must be under way, or nothing is asked
		cancel()
		if time.Since(begun) > 50*time.Second {
			t.Fatal("the client holds on to a dead connection for 50 s")
		}
	}
	p.Set(servers.Pass)
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	for _, ttl := range []time.Duration{0, time.Second / 2, 1500 * time.Millisecond, maxTTL + time.Second} {
		_, err := m.Acquire(t.Context(), "bad", holder("a"), ttl)
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "TTL") {
			t.Errorf("Acquire for %v = %v; want a permanent error", ttl, err)
		}
	}
	if _, err := m.Watch("", func(lease.Record) {}); !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("Watch of no key = %v; want a permanent error", err)
	}
	_, err := New(Config{Prefix: "a\nb"})
	for _, want := range []string{"Config.Client is nil", `"a\nb" is not printable ASCII at byte 1`} {
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v; want a permanent error that says %s", err, want)
		}
	}
	if err := (Config{Client: m.client, Prefix: strings.Repeat("p", maxPrefix+1)}).Check(); err == nil {
		t.Error("a prefix of any length is taken")
	}
}
