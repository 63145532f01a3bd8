package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/lease"
)

// work is a transaction of a leader, of either kind.
type work struct {
	fence    func(lease.Lease) error
	write    func(n int) error
	commit   func() error
	rollback func() error
}

// begins says how transactions of either kind are begun.
func begins(t *testing.T, m *Manager, db *sql.DB, effects string) map[string]func(level string) work {
	ctx := t.Context()
	insert := fmt.Sprintf("INSERT INTO %s VALUES ($1)", effects)
	set := func(level string) string { return "SET TRANSACTION ISOLATION LEVEL " + level }
	return map[string]func(string) work{
		"database/sql": func(level string) work {
			tx, err := db.BeginTx(ctx, nil)
			if err == nil {
				_, err = tx.ExecContext(ctx, set(level))
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = tx.Rollback() })
			return work{
				fence:    func(l lease.Lease) error { return m.Fence(ctx, tx, l) },
				write:    func(n int) error { _, err := tx.ExecContext(ctx, insert, n); return err },
				commit:   tx.Commit,
				rollback: tx.Rollback,
			}
		},
		"pgx": func(level string) work {
			conn, err := pgx.Connect(ctx, address(server.Addr(), "postgres"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { bid(conn) })
			tx, err := conn.Begin(ctx)
			if err == nil {
				_, err = tx.Exec(ctx, set(level))
			}
			if err != nil {
				t.Fatal(err)
			}
			return work{
				fence:    func(l lease.Lease) error { return m.FencePgx(ctx, tx, l) },
				write:    func(n int) error { _, err := tx.Exec(ctx, insert, n); return err },
				commit:   func() error { return tx.Commit(ctx) },
				rollback: func() error { return tx.Rollback(ctx) },
			}
		},
	}
}

// scene is a table of leases, and a table that only the leader should write to.
type scene struct {
	db    *sql.DB
	m     *Manager
	begin map[string]func(level string) work
	table string
	fx    string
}

func stage(t *testing.T) *scene {
	t.Helper()
	db := super(t)
	table := fresh(t, db)
	must(t, db, "CREATE TABLE fx_"+table+" (n int)")
	m := manager(t, Config{DB: db, Table: table})
	return &scene{db, m, begins(t, m, db, "fx_"+table), table, "fx_" + table}
}

func (s *scene) effects(t *testing.T, want int) {
	t.Helper()
	var n int
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+s.fx).Scan(&n); err != nil || n != want {
		t.Errorf("%d effects, %v; want %d", n, err, want)
	}
}

func (s *scene) each(t *testing.T, levels []string, f func(t *testing.T, begin func() work, level string)) {
	for name, begin := range s.begin {
		for _, level := range levels {
			t.Run(name+", "+level, func(t *testing.T) { f(t, func() work { return begin(level) }, level) })
		}
	}
}

var levels = []string{"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}

func done(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

func TestAFencedTransactionOfTheLeaderIsCommitted(t *testing.T) {
	s := stage(t)
	effects := 0
	s.each(t, levels, func(t *testing.T, begin func() work, _ string) {
		h := holder("a")
		l := acquired(t, s.m, t.Name(), h, time.Hour)
		w := begin()
		done(t, w.write(1), w.fence(l), w.write(2), s.m.Renew(t.Context(), l, time.Hour), w.fence(l), w.commit())
		effects += 2
		s.effects(t, effects)
	})
}

// The leader is paused in a transaction, and another takes over meanwhile. When it goes on, its transaction fails, even
// if it does not look at the error.
func TestATransactionOfAnExLeaderFails(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.each(t, levels, func(t *testing.T, begin func() work, level string) {
		l := acquired(t, s.m, t.Name(), holder("a"), 100*time.Millisecond)
		w := begin()
		done(t, w.write(1))
		next := takeover(t, s.m, t.Name(), time.Hour)
		err := w.fence(l)
		if level == "READ COMMITTED" && !errors.Is(err, lease.ErrLost) ||
			level != "READ COMMITTED" && state(err) != "40001" {
			t.Errorf("Fence = %v", err)
		}
		var lost *lease.LostError
		if errors.As(err, &lost) && lost.Lease != l {
			t.Errorf("it is about %+v", lost.Lease)
		}
		if err := w.commit(); err == nil {
			t.Error("the transaction was committed")
		}
		s.effects(t, 0)
		w = begin()
		if err := w.fence(l); !errors.Is(err, lease.ErrLost) {
			t.Errorf("a new transaction: Fence = %v", err)
		}
		_ = w.rollback()
		done(t, s.m.Renew(t.Context(), next, time.Hour))
	})
}

// A renewal and a release conflict with no fence, so a fence with an older snapshot has to find the takeover behind
// them. A release alone stops nobody: what is written still stands before whatever the next leader does.
func TestATakeoverIsFoundBehindWhatTheExLeaderDidItself(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.each(t, levels, func(t *testing.T, begin func() work, level string) {
		l := acquired(t, s.m, t.Name(), holder("a"), time.Hour)
		w := begin()
		done(t, w.write(1))
		done(t, s.m.Renew(t.Context(), l, time.Hour), s.m.Renew(t.Context(), l, time.Hour), s.m.Release(t.Context(), l))
		next := takeover(t, s.m, t.Name(), time.Hour)
		done(t, s.m.Renew(t.Context(), next, time.Hour))
		err := w.fence(l)
		if level == "READ COMMITTED" && !errors.Is(err, lease.ErrLost) ||
			level != "READ COMMITTED" && state(err) != "40001" {
			t.Errorf("Fence = %v", err)
		}
		if err := w.commit(); err == nil {
			t.Error("the transaction was committed")
		}
		s.effects(t, 0)
	})
}

func takeover(t *testing.T, m *Manager, key string, ttl time.Duration) lease.Lease {
	t.Helper()
	var l lease.Lease
	h := holder("successor")
	contest.Eventually(t, "a takeover of "+key, func() bool {
		var err error
		l, err = m.Acquire(t.Context(), key, h, ttl)
		return err == nil
	})
	return l
}

func TestALeaseThatIsNotHeldAsItIsSaidFencesTransactionsOff(t *testing.T) {
	t.Parallel()
	s := stage(t)
	for what, wrong := range map[string]func(l *lease.Lease){
		"another incarnation": func(l *lease.Lease) { l.Holder.Incarnation = "other" },
		"another name":        func(l *lease.Lease) { l.Holder.Name = "other" },
		"an older term":       func(l *lease.Lease) { l.Term-- },
		"a newer term":        func(l *lease.Lease) { l.Term++ },
		"another key":         func(l *lease.Lease) { l.Key = "other" },
		"nobody":              func(l *lease.Lease) { l.Holder = lease.Holder{} },
		"released": func(l *lease.Lease) {
			if err := s.m.Release(t.Context(), *l); err != nil {
				t.Fatal(err)
			}
		},
		"released, nobody": func(l *lease.Lease) {
			if err := s.m.Release(t.Context(), *l); err != nil {
				t.Fatal(err)
			}
			l.Holder = lease.Holder{}
		},
		"deleted": func(l *lease.Lease) { must(t, s.db, "DELETE FROM "+s.table) },
	} {
		s.each(t, levels, func(t *testing.T, begin func() work, level string) {
			l := acquired(t, s.m, "k", holder("a"), time.Hour)
			defer func() { must(t, s.db, "DELETE FROM "+s.table) }()
			wrong(&l)
			w := begin()
			done(t, w.write(1))
			if err := w.fence(l); !errors.Is(err, lease.ErrLost) {
				t.Errorf("%s: Fence = %v", what, err)
			}
			if err := w.commit(); err == nil {
				t.Errorf("%s: committed", what)
			}
			s.effects(t, 0)
		})
	}
}

// At READ COMMITTED a lease that has run out is not held, though nobody took it. With a snapshot that is as old as the
// transaction, renewals are not seen, and a long transaction of a living leader must not fail for that.
func TestALeaseThatRanOutIsNotHeld(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.each(t, levels, func(t *testing.T, begin func() work, level string) {
		l := acquired(t, s.m, t.Name(), holder("a"), 100*time.Millisecond)
		w := begin()
		done(t, w.write(1)) // takes the snapshot
		if level != "READ COMMITTED" {
			done(t, s.m.Renew(t.Context(), l, time.Hour))
		}
		time.Sleep(150 * time.Millisecond)
		err := w.fence(l)
		if level == "READ COMMITTED" && !errors.Is(err, lease.ErrLost) || level != "READ COMMITTED" && err != nil {
			t.Errorf("Fence = %v", err)
		}
		_ = w.rollback()
	})
}

// While a fenced transaction is open nobody takes over, though the lease has run out or was released, not even its own
// holder under another term; and the one who waits is told what for.
func TestATakeoverWaitsForFencedTransactions(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.each(t, levels, func(t *testing.T, begin func() work, _ string) {
		must(t, s.db, "DELETE FROM "+s.fx)
		l := acquired(t, s.m, t.Name(), holder("a"), time.Hour)
		w := begin()
		done(t, w.fence(l), w.write(1), s.m.Renew(t.Context(), l, 100*time.Millisecond))
		time.Sleep(150 * time.Millisecond)
		for _, h := range []lease.Holder{holder("b"), l.Holder} {
			_, err := s.m.Acquire(t.Context(), l.Key, h, time.Second)
			says(t, err, false, "open transaction", "pg_stat_activity")
			if _, refusal := lease.Refusal(err); refusal {
				t.Errorf("%v is a refusal, but nobody holds the lease", err)
			}
		}
		granted := make(chan error, 1)
		go func() { // one that waits is granted the lease when the transaction ends
			h, err := holder("c"), error(nil)
			for again := true; again; again = state(err) == "55P03" { // which is soon, unless the machine is slow
				_, err = s.m.Acquire(t.Context(), l.Key, h, MaxTTL)
			}
			granted <- err
		}()
		contest.Eventually(t, "somebody waits", func() bool { return s.waiting(t) == 1 })
		done(t, w.commit())
		if err := <-granted; err != nil {
			t.Errorf("after the commit: %v", err)
		}
		s.effects(t, 1)
	})
}

// waiting returns how many sessions wait for a lock on a row of the table.
func (s *scene) waiting(t *testing.T) (n int) {
	t.Helper()
	err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "+
		"AND query LIKE '%' || $1 || '%'", `"`+s.table+`"`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The next term is not yet committed when a transaction of the one before is fenced: it waits, and learns that it has
// lost. The lease is taken anew by its own holder, because nobody else can take one that has not run out.
func TestAFenceWaitsForATakeoverThatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := stage(t)
	s.each(t, levels, func(t *testing.T, begin func() work, level string) {
		l := acquired(t, s.m, t.Name(), holder("a"), time.Hour)
		w := begin()
		done(t, w.write(1))
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		var a answer
		h := l.Holder
		err = tx.QueryRowContext(t.Context(), s.m.sql.acquire, l.Key, h.Name, h.Incarnation, h.Meta, int64(time.Hour/1000),
			s.m.table.last, "1s").Scan(append([]any{&a.term, &a.told}, a.row.into()...)...)
		if err != nil || a.term == 0 {
			t.Fatal(a, err)
		}
		fenced := make(chan error, 1)
		go func() { fenced <- w.fence(l) }()
		contest.Eventually(t, "the fence waits", func() bool { return s.waiting(t) == 1 })
		done(t, tx.Commit())
		err = <-fenced
		if level == "READ COMMITTED" && !errors.Is(err, lease.ErrLost) ||
			level != "READ COMMITTED" && state(err) != "40001" {
			t.Errorf("Fence = %v", err)
		}
		if err := w.commit(); err == nil {
			t.Error("committed")
		}
		s.effects(t, 0)
	})
}

func TestAFenceEndsWithItsContext(t *testing.T) {
	s := stage(t)
	l := acquired(t, s.m, "k", holder("a"), time.Hour)
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.m.Fence(ctx, tx, l); !errors.Is(err, context.Canceled) || errors.Is(err, lease.ErrLost) {
		t.Errorf("%v", err)
	}
}
