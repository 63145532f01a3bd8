package nats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestALeaseAndItsTermSurviveTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	m, peer := open(t, s.Addr()), open(t, s.Addr())
	l := grant(t, m, "survives", holder("a"), time.Minute)
	s.Kill()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := m.Renew(short, l, time.Minute)
	if _, refusal := lease.Refusal(err); refusal || err == nil {
		t.Errorf("Renew without a server = %v; want an error that is no refusal", err)
	}
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
	next := grant(t, peer, l.Key, holder("b"), time.Second)
	if next.Term <= l.Term {
		t.Errorf("term %d after %d and a restart", next.Term, l.Term)
	}
	s.Kill()
	time.Sleep(time.Second) // it runs out while the server is down
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "a lease that ran out while the server was down is free", func() bool {
		last, err := m.Acquire(t.Context(), l.Key, holder("c"), time.Minute)
		if err == nil && last.Term <= next.Term {
			t.Errorf("term %d after %d", last.Term, next.Term)
		}
		return err == nil
	})
}

func TestTermsRiseOverABucketThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := serve(t)
	m := open(t, s.Addr())
	l := grant(t, m, "anew", holder("a"), time.Minute)
	for what, lose := range map[string]func() error{
		"the bucket is deleted":           func() error { return m.js.DeleteKeyValue(t.Context(), bucket) },
		"the server has lost its storage": func() error { return s.RestartEmpty(t.Context()) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		_, err := m.Acquire(t.Context(), l.Key, l.Holder, time.Minute)
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "there is no bucket leases: make it") {
			t.Errorf("%s: Acquire = %v; want a permanent error that says what to do", what, err)
		}
		if err := m.Renew(t.Context(), l, time.Minute); err == nil {
			t.Errorf("%s: a lease that is gone was renewed", what)
		}
		if err := makeBucket(t.Context(), s, Bucket(bucket, 1)); err != nil {
			t.Fatal(err)
		}
		if err := m.Renew(t.Context(), l, time.Minute); !errors.Is(err, lease.ErrLost) {
			t.Errorf("%s: Renew = %v; want ErrLost", what, err)
		}
		next := grant(t, open(t, s.Addr()), l.Key, l.Holder, time.Minute)
		if next.Term <= l.Term {
			t.Errorf("%s: term %d after %d", what, next.Term, l.Term)
		}
		l = next
		if err := m.Renew(t.Context(), l, time.Minute); err != nil {
			t.Error(err)
		}
	}
}

// A bucket that has lost its last messages would grant terms once more. Who remembers greater ones refuses them.
func TestTermsOfABucketThatHasGoneBackAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	m := open(t, s.Addr())
	l := grant(t, m, "back", holder("a"), time.Minute)
	s.Kill()
	saved := t.TempDir()
	if err := os.CopyFS(saved, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		l = grant(t, m, "back", l.Holder, time.Minute)
	}
	s.Kill()
	if err := os.RemoveAll(filepath.Join(s.Dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.Dir, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := m.Acquire(t.Context(), l.Key, l.Holder, time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "has gone back by") {
		t.Errorf("Acquire = %v; want a permanent error", err)
	}
	if next := grant(t, open(t, s.Addr()), l.Key, l.Holder, time.Minute); next.Term >= l.Term {
		t.Errorf("term %d after %d: the bucket has not gone back, so this test shows nothing", next.Term, l.Term)
	}
}

func TestABucketThatCannotKeepLeasesIsRefused(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.NATS())
	js := connect(t, s.Addr())
	for name, c := range map[string]struct {
		change func(*jetstream.KeyValueConfig)
		says   string
	}{
		"without":  {func(c *jetstream.KeyValueConfig) { c.LimitMarkerTTL = 0 }, "made without LimitMarkerTTL"},
		"short":    {func(c *jetstream.KeyValueConfig) { c.TTL = 30 * time.Second }, "ends leases of 1m0s early"},
		"history":  {func(c *jetstream.KeyValueConfig) { c.History = 5 }, "set History to 1"},
		"memory":   {func(c *jetstream.KeyValueConfig) { c.Storage = jetstream.MemoryStorage }, "set Storage to file"},
		"suitable": {func(*jetstream.KeyValueConfig) {}, ""},
	} {
		config := Bucket(name, 1)
		c.change(&config)
		if _, err := js.CreateKeyValue(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		m, err := New(Config{JetStream: js, Bucket: name})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Acquire(t.Context(), "k", holder("a"), time.Minute)
		if c.says == "" && err != nil || c.says != "" &&
			(!errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: Acquire = %v; want a permanent error that says %q", name, err, c.says)
		}
	}
	good := jetstream.StreamConfig{
		AllowMsgTTL: true, SubjectDeleteMarkerTTL: time.Hour, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld,
	}
	if err := suitable(good, time.Minute); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*jetstream.StreamConfig){
		"throws away": func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 },
		"a copy":      func(c *jetstream.StreamConfig) { c.Mirror = &jetstream.StreamSource{Name: "x"} },
		"marker":      func(c *jetstream.StreamConfig) { c.SubjectDeleteMarkerTTL = 0 },
	} {
		bad := good
		change(&bad)
		if err := suitable(bad, time.Minute); err == nil {
			t.Errorf("%s: not refused", what)
		}
	}
}

// Servers before 2.11 take the time to live of a message and ignore it, so that a lease would never end.
func TestAServerThatIsTooOldIsRefused(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.OldNATS())
	js := connect(t, s.Addr())
	if _, err := js.CreateKeyValue(t.Context(), Bucket(bucket, 1)); err == nil {
		t.Error("the old server makes a bucket of leases; then it is not old")
	}
	old, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Create(t.Context(), "k", nil, jetstream.KeyTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, s.Addr()).Acquire(t.Context(), "another", holder("a"), time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "the server is older than 2.11") {
		t.Errorf("Acquire = %v; want a permanent error", err)
	}
	time.Sleep(1500 * time.Millisecond)
	if _, err := old.Get(t.Context(), "k"); err != nil {
		t.Errorf("%v; want it there still, as a server that ignores the time to live has it", err)
	}
}

// The way that suggests itself, Update of a bucket, drops the time to live: such a lease would never end.
func TestARenewalKeepsTheTimeToLive(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	l := grant(t, m, fresh("time to live"), holder("a"), time.Minute)
	life := func() string {
		t.Helper()
		s, err := m.js.Stream(t.Context(), m.stream())
		if err != nil {
			t.Fatal(err)
		}
		msg, err := s.GetLastMsgForSubject(t.Context(), m.subject(l.Key))
		if err != nil {
			t.Fatal(err)
		}
		return msg.Header.Get("Nats-TTL")
	}
	for _, ttl := range []time.Duration{time.Minute, time.Minute, 90 * time.Second} {
		if err := m.Renew(t.Context(), l, ttl); err != nil {
			t.Fatal(err)
		}
		if got := life(); got != ttl.String() {
			t.Errorf("after a renewal for %v the message lives for %q", ttl, got)
		}
	}
	b, err := m.js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.look(t.Context(), l.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Update(t.Context(), escape(l.Key), []byte("{}"), s.seq); err != nil {
		t.Fatal(err)
	}
	if got := life(); got != "" {
		t.Errorf("Update keeps the time to live, %q; then this package could use it", got)
	}
	if err := deleteByHand(t.Context(), m, l.Key); err != nil {
		t.Fatal(err)
	}
}

func TestCallsEndWithTheirContextAndADeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	p := servers.TestProxy(t, shared.Addr())
	m := open(t, p.Addr(), nats.PingInterval(200*time.Millisecond), nats.MaxPingsOutstanding(2))
	l := grant(t, m, fresh("half open"), holder("a"), time.Minute)
	p.Set(servers.HalfOpen)
	for what, call := range map[string]func(context.Context) error{
		"Acquire": func(ctx context.Context) error {
			_, err := m.Acquire(ctx, l.Key, holder("b"), time.Minute)
			return err
		},
		"Renew":   func(ctx context.Context) error { return m.Renew(ctx, l, time.Minute) },
		"Release": func(ctx context.Context) error { return m.Release(ctx, l) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begun := time.Now()
		err := call(ctx)
		cancel()
		if _, refusal := lease.Refusal(err); refusal || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s = %v; want the end of the context", what, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v; its context ended after 50 ms", what, took)
		}
	}
	contest.Eventually(t, "the client gives the dead connection up", func() bool { return p.Connections() > 1 })
	p.Set(servers.Pass)
	contest.Eventually(t, "calls are answered again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.Read(ctx, l.Key)
		return err == nil
	})
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
	_, err := New(Config{Bucket: "a.b"})
	for _, want := range []string{"Config.JetStream is nil", `Config.Bucket "a.b" is no name of a bucket`} {
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v; want a permanent error that says %s", err, want)
		}
	}
	js := connect(t, shared.Addr())
	js.Conn().Close()
	closed, err := New(Config{JetStream: js, Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := closed.Read(t.Context(), "k"); !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("Read over a closed connection = %v; want a permanent error", err)
	}
}

// rights is a configuration of the server: one user who may use the bucket and no more, and one who may nothing.
const rights = `
authorization { users = [
	{ user: root, password: root }
	{ user: may, password: secret, permissions: {
		publish: [ "$JS.API.STREAM.INFO.KV_leases", "$JS.API.STREAM.MSG.GET.KV_leases", "$KV.leases.>",
			"$JS.API.CONSUMER.CREATE.KV_leases.>", "$JS.API.CONSUMER.DELETE.KV_leases.>" ]
		subscribe: [ "_INBOX.>" ] } }
	{ user: may-not, password: secret, permissions: { publish: [ "other" ], subscribe: [ "_INBOX.>" ] } }
] }
`

func TestAUserNeedsNoMoreThanTheBucketAndWhoMayNotIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(rights), 0o600); err != nil {
		t.Fatal(err)
	}
	s := servers.Test(t, servers.NATS("--config="+file))
	root := connect(t, s.Addr(), nats.UserInfo("root", "root"))
	if _, err := root.CreateKeyValue(t.Context(), Bucket(bucket, 1)); err != nil {
		t.Fatal(err)
	}
	a, _ := stand(t, open(t, s.Addr(), nats.UserInfo("may", "secret")), "allowed", time.Minute, actor.Hooks{})
	contest.Eventually(t, "it leads", func() bool { return a.Status().Leading })
	b, _ := stand(t, open(t, s.Addr(), nats.UserInfo("may", "secret")), "allowed", time.Minute, actor.Hooks{})
	contest.Eventually(t, "the follower knows the leader", func() bool { return !b.Status().Leader.IsZero() })
	begun := time.Now()
	if err := a.Resign(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "the other leads", func() bool { return b.Status().Leading })
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %v; the watch should have told", took)
	}

	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	m := open(t, s.Addr(), nats.UserInfo("may-not", "secret"), quiet)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := m.Acquire(ctx, "allowed", holder("c"), time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(fmt.Sprint(err), "allow the user") {
		t.Errorf("Acquire = %v; want a permanent error that says what to do", err)
	}
	if strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("%v gives the password away", err)
	}
}
