//go:build linux

package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// errs returns what each method says.
func errs(t *testing.T, m *Manager, key string) map[string]error {
	l := lease.Lease{Key: key, Holder: alice, Term: 1}
	_, acquire := m.Acquire(soon(t), key, alice, time.Second)
	_, read := m.Read(soon(t), key)
	return map[string]error{
		"acquire": acquire, "renew": m.Renew(soon(t), l, time.Second), "release": m.Release(soon(t), l), "read": read,
	}
}

// faulty fails unless each method says all of words, and calls the fault permanent or not, and never refuses.
func faulty(t *testing.T, m *Manager, key string, permanent bool, words ...string) {
	t.Helper()
	for op, err := range errs(t, m, key) {
		if _, refused := lease.Refusal(err); err == nil || refused || errors.Is(err, lease.ErrPermanent) != permanent {
			t.Errorf("%s: %v, permanent %v; want an error that is no refusal, permanent %v", op, err,
				errors.Is(err, lease.ErrPermanent), permanent)
			continue
		}
		for _, w := range append(words, op, key) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q; want it to say %q", op, err, w)
			}
		}
		if strings.ContainsRune(err.Error(), '\n') || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %q; want one line without the password", op, err)
		}
	}
}

// least is the user of docs/stores/redis.md, its rights after the name.
func least(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "stores", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if rest, ok := strings.CutPrefix(line, "ACL SETUSER "); ok {
			return strings.Replace(rest, "PASSWORD", "s3cret", 1)
		}
	}
	t.Fatal("the page does not say which rights are needed")
	return ""
}

// rights makes the user after the words, without and with some.
func rights(t *testing.T, addr, words string, change ...string) {
	t.Helper()
	args := []any{"ACL", "SETUSER"}
	for _, w := range append(strings.Fields(words), change...) {
		args = append(args, w)
	}
	do(t, addr, args...)
}

func as(user, password string) func(*goredis.Options) {
	return func(o *goredis.Options) { o.Username, o.Password = user, password }
}

// subscribers returns how many connections listen to changes.
func subscribers(t *testing.T, addr string) int64 {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { _ = c.Close() }()
	n, err := c.PubSubNumSub(t.Context(), "tenure:changes").Result()
	if err != nil {
		t.Fatal(err)
	}
	return n["tenure:changes"]
}

func TestTheLeastRightsAreEnoughAndEachIsNeeded(t *testing.T) {
	for name, spec := range map[string]servers.Spec{"redis": servers.Redis(), "valkey": servers.Valkey()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leastRights(t, servers.Test(t, spec))
		})
	}
}

func leastRights(t *testing.T, s *servers.Server) {
	t.Helper()
	rights(t, s.Addr(), least(t))
	m := open(t, Config{Client: connect(t, s.Addr(), as("tenure", "s3cret")), Poll: 20 * time.Millisecond})
	told := make(chan lease.Record, 100)
	stop, err := m.Watch("k", func(r lease.Record) { told <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	l := granted(t, m, "k", alice, time.Minute)
	if r := <-told; r.Lease != l {
		t.Errorf("told of %+v", r)
	}
	_, err = m.Acquire(t.Context(), "k", bob, time.Minute)
	wantHeld(t, "another", err)
	if err := errors.Join(m.Renew(t.Context(), l, time.Minute), m.Release(t.Context(), l)); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "the subscription is allowed", func() bool { return subscribers(t, s.Addr()) == 1 })
	without := func(right string) {
		t.Helper()
		do(t, s.Addr(), "ACL", "DELUSER", "tenure")
		if !strings.Contains(least(t), right) {
			t.Fatalf("%s is not among the rights", right)
		}
		rights(t, s.Addr(), strings.Replace(least(t), right+" ", "", 1))
	}
	for _, right := range []string{"+evalsha", "+time", "+hmget", "~tenure:*"} {
		without(right)
		faulty(t, m, "k", true, "docs/stores/redis.md", "tenure:{k}")
	}
	for _, right := range []string{"+hset", "+publish", "&tenure:*"} {
		without(right)
		_, err := m.Acquire(t.Context(), "k", bob, time.Minute)
		if !errors.Is(err, lease.ErrPermanent) {
			t.Errorf("without %s: %v; want a permanent fault", right, err)
		}
	}
	rights(t, s.Addr(), least(t))
	if r, err := m.Read(t.Context(), "k"); err != nil || !r.Holder.IsZero() || r.Term != l.Term {
		t.Errorf("%+v, %v; what was not allowed has left traces", r, err)
	}
}

func TestWhoMayNotComeInIsTold(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis("--requirepass", "s3cret"))
	faulty(t, opened(t, s.Addr()), "k", true, "wants a password")
	faulty(t, open(t, Config{Client: connect(t, s.Addr(), as("", "wrong"))}), "k", true, "user and password")
	faulty(t, open(t, Config{Client: connect(t, s.Addr(), as("nobody", "s3cret"))}), "k", true, "user and password")
	granted(t, open(t, Config{Client: connect(t, s.Addr(), as("", "s3cret"))}), "k", alice, time.Minute)
}

func TestRecordsOfSomethingElseAreRefused(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	for name, c := range map[string]struct {
		make []any
		says string
	}{
		"a string":            {[]any{"SET", "x"}, "WRONGTYPE"},
		"a list":              {[]any{"LPUSH", "x"}, "WRONGTYPE"},
		"another hash":        {[]any{"HSET", "colour", "red"}, "no lease"},
		"a later format":      {[]any{"HSET", "tenure", "2", "term", "7"}, "upgrade"},
		"no format":           {[]any{"HSET", "tenure", "0", "term", "7"}, "no lease"},
		"no term":             {[]any{"HSET", "tenure", "1"}, "numbers"},
		"a negative term":     {[]any{"HSET", "tenure", "1", "term", "-7"}, "numbers"},
		"a term too great":    {[]any{"HSET", "tenure", "1", "term", "9007199254740992"}, "numbers"},
		"a term in words":     {[]any{"HSET", "tenure", "1", "term", "0x10"}, "numbers"},
		"an end in words":     {[]any{"HSET", "tenure", "1", "term", "7", "until", "tomorrow"}, "numbers"},
		"a length too great":  {[]any{"HSET", "tenure", "1", "term", "7", "ttl", "1e300"}, "numbers"},
		"a name without one":  {[]any{"HSET", "tenure", "1", "term", "7", "incarnation", "x"}, "name"},
		"a name with a break": {[]any{"HSET", "tenure", "1", "term", "7", "holder", "a\nb", "incarnation", "x"}, "name"},
		"metadata of bytes": {[]any{"HSET", "tenure", "1", "term", "7", "holder", "a", "incarnation", "x", "meta", "\xff"},
			"UTF-8"},
		"a lease for ever": {[]any{"HSET", "tenure", "1", "term", "7", "holder", "a", "incarnation", "x",
			"ttl", "9007199254740991", "until", "9007199254740991"}, "can be left"},
	} {
		t.Run(name, func(t *testing.T) {
			do(t, s.Addr(), append([]any{c.make[0], m.Record("k")}, c.make[1:]...)...)
			defer do(t, s.Addr(), "DEL", m.Record("k"))
			_, err := m.Read(t.Context(), "k")
			if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(err.Error(), "tenure:{k}") {
				t.Errorf("%v; want a permanent fault that says %q and where", err, c.says)
			}
		})
	}
	do(t, s.Addr(), "SET", m.Record("k"), "x")
	faulty(t, m, "k", true, "Config.Prefix")
	do(t, s.Addr(), "DEL", m.Record("k"))
	do(t, s.Addr(), "HSET", m.Record("k"), "colour", "red")
	faulty(t, m, "k", true, "delete it")
}

func TestATermIsTheLastThereIs(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	do(t, s.Addr(), "HSET", m.Record("k"), "tenure", "1", "term", "9007199254740990")
	if l := granted(t, m, "k", alice, time.Minute); l.Term != maxTerm {
		t.Errorf("term %d; want %d", l.Term, uint64(maxTerm))
	}
	_, err := m.Acquire(t.Context(), "k", alice, time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "no term is left") {
		t.Error(err)
	}
}

func TestAServerThatCannotWriteSaysWhy(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	l := granted(t, m, "k", alice, time.Minute)
	passing := func(says string, errs ...error) {
		t.Helper()
		for _, err := range errs {
			_, refused := lease.Refusal(err)
			if err == nil || refused || errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), says) {
				t.Errorf("%v; want a passing fault that says %q", err, says)
			}
		}
	}
	do(t, s.Addr(), "CONFIG", "SET", "maxmemory", "1")
	_, err := m.Acquire(soon(t), "k", alice, time.Minute)
	passing("maxmemory", err, m.Renew(soon(t), l, time.Minute))
	if err := m.Release(soon(t), l); err != nil {
		t.Errorf("a lease cannot be released in a full memory: %v", err)
	}
	do(t, s.Addr(), "CONFIG", "SET", "maxmemory", "0")
	l = granted(t, m, "k", alice, time.Minute)
	do(t, s.Addr(), "REPLICAOF", "127.0.0.1", "1")
	_, err = m.Acquire(soon(t), "k", alice, time.Minute)
	passing("replica", err, m.Renew(soon(t), l, time.Minute))
	do(t, s.Addr(), "REPLICAOF", "NO", "ONE")
	do(t, s.Addr(), "CONFIG", "SET", "min-replicas-to-write", "1")
	_, err = m.Acquire(soon(t), "k", alice, time.Minute)
	passing("too few replicas", err, m.Renew(soon(t), l, time.Minute))
	do(t, s.Addr(), "CONFIG", "SET", "min-replicas-to-write", "0")
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Errorf("the lease did not outlast that: %v", err)
	}
}

// spoken is an error as a server says it.
type spoken string

func (e spoken) Error() string { return string(e) }
func (spoken) RedisError()     {}

func TestEveryErrorOfAServerHasItsRemedy(t *testing.T) {
	for text, c := range map[string]struct {
		permanent bool
		says      string
	}{
		"LOADING Redis is loading the dataset in memory":                                   {false, "wait"},
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": {false, "failover"},
		"CLUSTERDOWN The cluster is down":                                                  {false, "servers"},
		"TRYAGAIN Multiple keys request during rehashing of slot":                          {false, "wait"},
		"BUSY Redis is busy running a script.":                                             {false, "another script"},
		"MISCONF Errors writing to the AOF file: No space left on device":                  {true, "make room"},
		"DENIED Redis is running in protected mode":                                        {true, "protected mode"},
		"ERR unknown command 'EVALSHA', with args beginning with: ":                        {true, "EVALSHA"},
		"CROSSSLOT Keys in request don't hash to the same slot":                            {true, "ClusterClient"},
		"ERR Error running script (call to f_ab): @user_script:12: @user_script: 12: " + // Redis 6
			"WRONGTYPE Operation against a key holding the wrong kind of value": {true, "Config.Prefix"},
		"READONLY You can't write against a read only replica. script: ab, on @user_script:1.": {false, "replica"},
		"ERR max number of clients reached":                                                    {false, "max number"},
	} {
		err := explain(fmt.Errorf("on its way: %w", spoken(text)), "tenure:{k}")
		if errors.Is(err, lease.ErrPermanent) != c.permanent || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, permanent %v; want %v and %q", err, errors.Is(err, lease.ErrPermanent), c.permanent, c.says)
		}
	}
	plain := errors.New("dial tcp: lookup OOM: no such host")
	if err := explain(plain, "r"); err.Error() != plain.Error() || errors.Is(err, lease.ErrPermanent) {
		t.Errorf("%v; only a server has codes", err)
	}
}

func TestAClosedClientAndAnUnreachableServerAreNamed(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	c := connect(t, s.Addr())
	m := open(t, Config{Client: c})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	faulty(t, m, "k", false, "keep it open")
	s.Kill()
	once := func(o *goredis.Options) { o.MaxRetries, o.DialerRetries = -1, 1 }
	faulty(t, open(t, Config{Client: connect(t, s.Addr(), once)}), "k", false, "refused")
}

func TestACallEndsWithItsContextThoughTheServerHangs(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Redis())
	m := opened(t, s.Addr())
	l := granted(t, m, "k", alice, time.Minute)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the caller's own reason")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	err := m.Renew(ctx, l, time.Minute)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("%v; want what ended the context", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestConfigFaultsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Prefix: "a{b}", Replicas: -1, Poll: time.Millisecond})
	for _, w := range []string{"Client", "Prefix", "Replicas", "Poll"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+w) {
			t.Errorf("%v; want Config.%s", err, w)
		}
	}
	ring := goredis.NewRing(&goredis.RingOptions{})
	defer func() { _ = ring.Close() }()
	if _, err := New(Config{Client: ring}); err == nil || !strings.Contains(err.Error(), "two would lead") {
		t.Errorf("%v; a Ring must be refused", err)
	}
	c := connect(t, "127.0.0.1:1")
	other := struct{ goredis.UniversalClient }{c}
	if _, err := New(Config{Client: other, Replicas: 1}); err == nil {
		t.Error("replicas of an unknown client")
	}
	if _, err := New(Config{Client: other, Prefix: strings.Repeat("p", 100), Poll: minPoll}); err != nil {
		t.Error(err)
	}
}
