package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// notes is a log that is read while it is written.
type notes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notes) count(text string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Count(n.buf.String(), text)
}

// newest is the record that a watch told last.
type newest struct {
	mu  sync.Mutex
	r   lease.Record
	all int
}

func (n *newest) changed(r lease.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.r = r
	n.all++
}

func (n *newest) is(want lease.Lease) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.r.Lease == want
}

func watch(t *testing.T, m *Manager, key string) *newest {
	t.Helper()
	n := &newest{}
	stop, err := m.Watch(key, n.changed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return n
}

// ear is a Manager that listens, polls once in ten minutes, and tries its connection out several times a second; so
// what it tells of soon it has heard. It gives a connection up only if that is dead, however slow the machine is.
func ear(t *testing.T, c Config) (*Manager, *notes) {
	t.Helper()
	log := &notes{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	if c.Poll == 0 {
		c.Poll = time.Minute
	}
	m := manager(t, c)
	m.hub.echoEvery, m.hub.echoTimeout = 100*time.Millisecond, time.Minute
	return m, log
}

func (m *Manager) hears() bool {
	return m.hub.prompt.Load()
}

func TestOneConnectionListensForAllKeysAndOnlyWhileSomethingIsWatched(t *testing.T) {
	db := super(t)
	m, _ := ear(t, Config{
		DB: db, Table: fresh(t, db), Listen: listenAt(address(server.Addr(), "postgres", "application_name=one_ear")),
	})
	listeners := func() (n int) {
		err := db.QueryRowContext(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'one_ear'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 {
		var stops []func()
		for i := range 50 {
			stop, err := m.Watch(fmt.Sprint("k", i), func(lease.Record) {})
			if err != nil {
				t.Fatal(err)
			}
			stops = append(stops, stop)
		}
		contest.Eventually(t, "it hears", m.hears)
		n := watch(t, m, "k49")
		l := acquired(t, m, "k49", holder("a"), time.Hour)
		contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
		if got := listeners(); got != 1 {
			t.Errorf("%d connections listen", got)
		}
		for _, stop := range stops {
			stop()
		}
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		contest.Eventually(t, "the release is told to the one that is left", func() bool {
			return n.is(lease.Lease{Key: "k49", Term: l.Term})
		})
		if left := m.hub.audience.Loop().Keys(); len(left) != 1 {
			t.Errorf("%q are watched", left)
		}
	}
}

// A connection that the server ends is replaced, and what happened meanwhile is told.
func TestALostConnectionIsReplaced(t *testing.T) {
	db := super(t)
	m, log := ear(t, Config{
		DB: db, Table: fresh(t, db), Listen: listenAt(address(server.Addr(), "postgres", "application_name=cut_ear")),
	})
	n := watch(t, m, "k")
	h := holder("a")
	for i := range 3 {
		contest.Eventually(t, "it hears", m.hears)
		must(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut_ear'")
		l := acquired(t, m, "k", h, time.Hour)
		contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
		contest.Eventually(t, "it says so", func() bool { return log.count("store notifies again") == i+1 })
	}
	if told := log.count("store does not notify"); told != 3 {
		t.Errorf("three losses were logged %d times", told)
	}
}

// Nothing tells that a half-open connection is dead, nor that one which leads nowhere is; the notifications to oneself
// do not arrive.
func TestADeadConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	for _, fault := range []servers.Fault{servers.HalfOpen, servers.Blackhole, servers.DropAnswers} {
		t.Run(fault.String(), func(t *testing.T) {
			db := super(t)
			proxy := servers.TestProxy(t, server.Addr())
			m, log := ear(t, Config{
				DB: db, Table: fresh(t, db), Listen: listenAt(address(proxy.Addr(), "postgres")),
			})
			m.hub.echoTimeout = time.Second
			n := watch(t, m, "k")
			contest.Eventually(t, "it hears", m.hears)
			before := log.count("store does not notify") // on a slow machine
			proxy.Set(fault)
			l := acquired(t, m, "k", holder("a"), time.Hour)
			contest.Eventually(t, "the loss is noticed", func() bool { return !m.hears() })
			contest.Eventually(t, "the grant is told all the same", func() bool { return n.is(l) })
			contest.Eventually(t, "the loss is logged", func() bool { return log.count("store does not notify") > before })
			proxy.Set(servers.Pass)
			contest.Eventually(t, "it hears again", m.hears)
			if err := m.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			contest.Eventually(t, "the release is told", func() bool { return n.is(lease.Lease{Key: "k", Term: l.Term}) })
		})
	}
}

// Behind a pooler of transactions LISTEN succeeds, in a session that somebody else gets next. It is noticed, and
// polling does the work.
func TestAPoolerThatKeepsNotificationsBackIsNoticed(t *testing.T) {
	t.Parallel()
	pooler := servers.Test(t, servers.PgBouncer(server.Addr()))
	url := address(pooler.Addr(), "postgres", "default_query_exec_mode=exec")
	db := open(t, url)
	m, log := ear(t, Config{DB: db, Table: fresh(t, db), Listen: listenAt(url), Poll: 20 * time.Millisecond})
	m.hub.echoTimeout = time.Second
	n := watch(t, m, "k")
	l := acquired(t, m, "k", holder("a"), time.Hour)
	contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
	contest.Eventually(t, "the reason is logged", func() bool { return log.count("not a pooler of transactions") == 1 })
	if m.hears() {
		t.Error("it believes that it hears")
	}
}

// Anybody can notify anything, as often as they like. It costs reads, and not many, and makes nobody a leader.
func TestNotificationsOfOthersAreOnlyAReasonToLook(t *testing.T) {
	db := super(t)
	table := fresh(t, db)
	m, _ := ear(t, Config{DB: db, Table: table, Listen: listenAt(address(server.Addr(), "postgres"))})
	n := watch(t, m, "k")
	contest.Eventually(t, "it hears", m.hears)
	l := acquired(t, m, "k", holder("a"), time.Hour)
	contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
	reads := func() (n int) {
		must(t, db, "SELECT pg_stat_force_next_flush()")
		err := db.QueryRowContext(t.Context(),
			"SELECT idx_scan FROM pg_stat_user_tables WHERE relname = $1", table).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, begun := reads(), time.Now()
	for _, payload := range []string{"k", "other", "", "\x01", strings.Repeat("k", 7999), "k\nk", `{"holder":"x"}`} {
		for range 200 {
			if _, err := db.ExecContext(t.Context(), "SELECT pg_notify($1, $2)", table, payload); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "the release is told", func() bool { return n.is(lease.Lease{Key: "k", Term: l.Term}) })
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all > 2 {
		t.Errorf("told %d times of a grant and a release", n.all)
	}
	took := time.Since(begun)
	if got, most := reads()-before, 30+int(took/(defaultPoll/4)); got > most {
		t.Errorf("1400 notifications in %v made %d reads; want %d at most", took, got, most)
	}
}

// Connections that cannot be had are asked for less and less often, and reported once.
func TestListeningIsTriedAgainWithABackOff(t *testing.T) {
	t.Parallel()
	db := super(t)
	var mu sync.Mutex
	var at []time.Time
	m, log := ear(t, Config{DB: db, Table: fresh(t, db), Listen: func(context.Context) (*pgx.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		if len(at)%2 == 0 {
			return nil, nil
		}
		return nil, errors.New("no route")
	}})
	watch(t, m, "k")
	tries := func() []time.Time { mu.Lock(); defer mu.Unlock(); return at }
	contest.Eventually(t, "several tries", func() bool { return len(tries()) >= 5 })
	all := tries()
	for i := 1; i < len(all); i++ {
		if d, least := all[i].Sub(all[i-1]), firstPause<<(i-1)/2; d < least {
			t.Errorf("try %d came after %v; want %v at least", i, d, least)
		}
	}
	if log.count("no route") != 1 || log.count("level=WARN") != 1 {
		t.Errorf("it was logged %d times", log.count("level=WARN"))
	}
}

// A database that does not answer for a while delays news, no more.
func TestAWatchOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	proxy := servers.TestProxy(t, server.Addr())
	direct := super(t)
	table := fresh(t, direct)
	m := manager(t, Config{DB: open(t, address(proxy.Addr(), "postgres")), Table: table, Poll: 20 * time.Millisecond})
	other := manager(t, Config{DB: direct, Table: table})
	n := watch(t, m, "k")
	l := acquired(t, other, "k", holder("a"), time.Hour)
	contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
	proxy.Set(servers.Reset)
	time.Sleep(100 * time.Millisecond)
	must(t, direct, "DELETE FROM "+table)
	proxy.Set(servers.Pass)
	contest.Eventually(t, "the deletion is told", func() bool { return n.is(lease.Lease{Key: "k"}) })
}
