//go:build linux

package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// short bounds a call that cannot succeed, but that is to reach the server, on a busy machine, too.
func short(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func unknown(t *testing.T, what string, err error) {
	t.Helper()
	if _, refusal := lease.Refusal(err); err == nil || refusal || errors.Is(err, lease.ErrPermanent) {
		t.Errorf("%s: %v; want an error that leaves the outcome unknown", what, err)
	}
}

func TestALeaseSurvivesThatItsServerIsKilledOrHangs(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	m := open(t, Config{DB: dial(t, s.Addr(), root), Dialect: MySQL})
	first := acquire(t, m, alice, ttl)
	s.Kill()
	unknown(t, "renew without a server", m.Renew(short(t), first, ttl))
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("after a restart: %v", err)
	}
	const brief = 500 * time.Millisecond
	sent := time.Now()
	if err := m.Renew(t.Context(), first, brief); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	unknown(t, "renew on a server that hangs", m.Renew(short(t), first, brief))
	time.Sleep(time.Until(sent.Add(brief)))
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	second := await(t, m, bob)
	if second.Term <= first.Term {
		t.Errorf("term %d follows term %d", second.Term, first.Term)
	}
	lost(t, m.Renew(t.Context(), first, ttl), bob)
	lost(t, m.Release(t.Context(), first), bob)
	if err := s.RestartEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	execute(t, dial(t, s.Addr(), account{user: "root"}), "CREATE DATABASE tenure")
	permanent(t, m.Renew(t.Context(), second, ttl), "Migrate")
	if err := m.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost(t, m.Renew(t.Context(), second, ttl), lease.Holder{})
	if third := acquire(t, m, alice, ttl); third.Term <= second.Term {
		t.Errorf("a server that lost all its data gives out term %d after %d", third.Term, second.Term)
	}
}

func TestAnAnswerThatIsLostIsSettledByTheNextCall(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	p := servers.TestProxy(t, s.Addr())
	m := open(t, Config{DB: dial(t, p.Addr(), root), Dialect: MySQL})
	direct := open(t, Config{DB: dial(t, s.Addr(), root), Dialect: MySQL})
	l := acquire(t, m, bob, ttl)
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	p.Set(servers.DropAnswers)
	_, err := m.Acquire(short(t), key, alice, ttl)
	unknown(t, "acquire", err)
	arrives(t, direct, func(r lease.Record) bool { return r.Holder.Is(alice) })
	p.Set(servers.Pass)
	if _, err := m.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("somebody else: %v", err)
	}
	next := acquire(t, m, alice, ttl)
	if next.Term < l.Term+2 {
		t.Errorf("term %d follows %d and a grant that nobody heard of", next.Term, l.Term)
	}
	p.Set(servers.DropAnswers)
	unknown(t, "release", m.Release(short(t), next))
	arrives(t, direct, lease.Record.Vacant)
	for _, f := range []servers.Fault{servers.Reset, servers.HalfOpen, servers.Blackhole} {
		p.Set(f)
		start := time.Now()
		unknown(t, f.String(), m.Renew(short(t), next, ttl))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%v: the call came back %v after its context had ended", f, took)
		}
		p.Set(servers.Pass)
	}
	if err := m.Release(t.Context(), next); err != nil {
		t.Errorf("a release whose answer was lost, again: %v", err)
	}
}

// arrives waits until the row is as it should be: a request may arrive after its sender has given up.
func arrives(t *testing.T, m *Manager, as func(lease.Record) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		r, err := m.Read(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if as(r) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the row is still %+v", r)
		}
	}
}

func TestWhatOnlyAPersonCanCureIsSaidSo(t *testing.T) {
	t.Parallel()
	s := mariaDB(t, "--log-bin", "--sync-binlog=1", "--server-id=1")
	admin := dial(t, s.Addr(), root)
	open(t, Config{DB: admin, Dialect: MySQL})
	for _, statement := range []string{
		"CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'secret'", "GRANT SELECT ON tenure.tenure_lease TO reader@'127.0.0.1'",
		"CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret'",
		"GRANT SELECT, INSERT, UPDATE ON tenure.tenure_lease TO app@'127.0.0.1'",
		"CREATE TABLE other (id INT)",
	} {
		execute(t, admin, statement)
	}
	app := account{user: "app", password: "secret", database: "tenure"}
	fails := func(a account, c Config, parts ...string) {
		t.Helper()
		c.DB, c.Dialect = dial(t, s.Addr(), a), MySQL
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Acquire(t.Context(), key, alice, ttl)
		permanent(t, err, parts...)
		permanent(t, m.Renew(t.Context(), lease.Lease{Key: key, Holder: alice, Term: 1}, ttl), parts...)
		_, err = m.Read(t.Context(), key)
		if !errors.Is(err, lease.ErrPermanent) && a.user != "reader" {
			t.Errorf("read: %v", err)
		}
	}
	fails(account{user: "app", password: "secrets", database: "tenure"}, Config{}, "SELECT, INSERT and UPDATE")
	fails(account{user: "reader", password: "secret", database: "tenure"}, Config{}, "SELECT, INSERT and UPDATE")
	fails(account{user: "root", database: "nowhere"}, Config{}, "create the database")
	fails(root, Config{Table: "missing"}, "Migrate")
	fails(root, Config{Table: "other"}, "name another")
	off := root
	off.params = map[string]string{"autocommit": "0"}
	fails(off, Config{}, "set autocommit to 1")
	execute(t, admin, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
	fails(app, Config{}, "innodb_flush_log_at_trx_commit is 2", "Config.Relaxed")
	relaxed := open(t, Config{DB: dial(t, s.Addr(), app), Dialect: MySQL, Relaxed: true})
	acquire(t, relaxed, alice, ttl)
	execute(t, admin, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	execute(t, admin, "SET GLOBAL sync_binlog = 0")
	fails(app, Config{}, "sync_binlog is not 1", "Config.Relaxed")
	acquire(t, relaxed, alice, ttl)
	execute(t, admin, "SET GLOBAL sync_binlog = 1")
	execute(t, admin, "SET GLOBAL read_only = 1")
	for _, a := range []account{app, root} { // root has the right to write all the same
		m, err := New(Config{DB: dial(t, s.Addr(), a), Dialect: MySQL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Acquire(t.Context(), key, alice, ttl)
		if _, refusal := lease.Refusal(err); refusal || errors.Is(err, lease.ErrPermanent) || err == nil ||
			!strings.Contains(err.Error(), "takes writes") || strings.Contains(err.Error(), "\n") {
			t.Errorf("on a server that is read-only: %v; want a fault that may pass, in one line", err)
		}
	}
	execute(t, admin, "SET GLOBAL read_only = 0")
	// A user with the least rights: it may be told to migrate what is there.
	m := open(t, Config{DB: dial(t, s.Addr(), app), Dialect: MySQL})
	if err := m.Release(t.Context(), acquire(t, m, alice, ttl)); err != nil {
		t.Error(err)
	}
	execute(t, admin, "DROP TABLE tenure_lease")
	if err := m.Migrate(t.Context()); !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("without the right to create tables: %v", err)
	}
}

func TestARowThatWasEditedIsNoLease(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	db := dial(t, s.Addr(), root)
	m := open(t, Config{DB: db, Dialect: MySQL})
	for set, says := range map[string]string{
		"term = 0": "its term", "term = 18446744073709551615": "its term", "incarnation = ''": "incarnation",
		"holder = UNHEX('01')": "name", "expires_at = '9999-12-31'": "its end", "meta = UNHEX('FF')": "metadata",
	} {
		l := acquire(t, m, alice, ttl)
		execute(t, db, "UPDATE tenure_lease SET "+set)
		_, err := m.Acquire(t.Context(), key, bob, ttl)
		permanent(t, err, says, "tenure_lease", "once nobody leads")
		_, err = m.Read(t.Context(), key)
		permanent(t, err, says)
		execute(t, db, "UPDATE tenure_lease SET holder = '', incarnation = '', term = ?", uint64(l.Term))
	}
	execute(t, db, "UPDATE tenure_lease SET term = ?", uint64(1<<53))
	_, err := m.Acquire(t.Context(), key, bob, ttl)
	permanent(t, err, "no term is left")
}

func TestManyMakeTheTableAtOnceAndTheirFirstLeasesExcludeEachOther(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	db := dial(t, s.Addr(), root)
	granted := make([]error, 16)
	together(len(granted), func(i int) {
		m, err := New(Config{DB: db, Dialect: MySQL, Table: "tenure.elections"})
		if err == nil {
			err = m.Migrate(t.Context())
		}
		if err != nil {
			t.Error(err)
			return
		}
		_, granted[i] = m.Acquire(t.Context(), key, lease.Holder{Name: fmt.Sprint("n", i), Incarnation: "x"}, ttl)
	})
	won := 0
	for _, err := range granted {
		if err == nil {
			won++
		} else if !errors.Is(err, lease.ErrHeld) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d were granted the lease: %v", won, granted)
	}
}

func TestAFencedTransactionCommitsOnlyWhileTheLeaseIsHeld(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	db := dial(t, s.Addr(), root)
	m := open(t, Config{DB: db, Dialect: MySQL})
	execute(t, db, "CREATE TABLE work (id INT AUTO_INCREMENT PRIMARY KEY, term BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB")
	fence(t, m, db, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	// A takeover waits for a transaction that is fenced.
	l := acquire(t, m, alice, 100*time.Millisecond)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Fence(t.Context(), tx, l); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond)
	_, err = m.Acquire(short(t), key, bob, ttl)
	unknown(t, "a takeover during a fenced transaction", err)
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO work (term) VALUES (?)", uint64(l.Term)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, m, bob)
}

func TestAServerThatCannotBeReachedIsReportedAndNothingElse(t *testing.T) {
	t.Parallel()
	m, err := New(Config{DB: dial(t, "127.0.0.1:1", root), Dialect: MySQL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Acquire(t.Context(), key, alice, ttl)
	unknown(t, "no server", err)
	if !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("it does not say which: %v", err)
	}
}
