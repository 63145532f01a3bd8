//go:build linux

package sql

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// locked reports whether err says that the database is locked.
func locked(err error) bool { return strings.Contains(err.Error(), "locked") }

func TestANewcomerOnTheSameBootKnowsWhenALeaseEndsWhateverTheWallClockSays(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	m := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	acquire(t, m, alice, ttl)
	newcomer := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	r, err := newcomer.Read(t.Context(), key)
	if err != nil || r.Remaining > ttl { // from a first look without a common clock it would be ttl and 1 %
		t.Fatalf("%+v, %v", r, err)
	}
	var record string
	row := lite(t, path, wal).QueryRowContext(t.Context(), "SELECT record FROM tenure_lease")
	if err := row.Scan(&record); err != nil {
		t.Fatal(err)
	}
	b, err := register.Decode(key, []byte(record))
	if err != nil {
		t.Fatal(err)
	}
	// The only instant in the record is one of the boot clock.
	if d := uptime() - b.At; b.Domain == "" || d < 0 || d > ttl {
		t.Errorf("the record is %s", record)
	}
	if strings.Contains(record, time.Now().UTC().Format("2006-01-02")) {
		t.Errorf("the record has a time of day: %s", record)
	}
}

func TestADatabaseFileThatCannotBeUsedIsSaidSo(t *testing.T) {
	t.Parallel()
	sound := liteFile(t)
	open(t, Config{DB: lite(t, sound, wal), Dialect: SQLite})
	text := liteFile(t)
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, pragmas, table, says string }{
		"no directory":       {"/no/such/directory/x.db", wal, "", "read and write the database file"},
		"no database":        {text, "", "", "no sound database"},
		"no table":           {sound, wal, "missing", "Migrate"},
		"read-only":          {sound, "mode=ro", "", "read and write the database file"},
		"not written for":    {sound, wal + "&_pragma=synchronous(normal)", "", "synchronous is 1"},
		"not written at all": {sound, wal + "&_pragma=synchronous(off)", "", "Config.Relaxed"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := New(Config{DB: lite(t, c.path, c.pragmas), Dialect: SQLite, Table: c.table})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Acquire(t.Context(), key, alice, ttl)
			permanent(t, err, c.says)
		})
	}
	acquire(t, open(t, Config{DB: lite(t, sound, wal+"&_pragma=synchronous(normal)"), Dialect: SQLite, Relaxed: true}),
		alice, ttl)
}

// A setting is that of a connection, and a pool has several; a renewal only writes.
func TestAConnectionThatDoesNotWaitForTheDiskWritesNothing(t *testing.T) {
	t.Parallel()
	db := lite(t, liteFile(t), wal)
	db.SetMaxOpenConns(1)
	m := open(t, Config{DB: db, Dialect: SQLite})
	l := acquire(t, m, alice, ttl)
	execute(t, db, "PRAGMA synchronous = OFF")
	permanent(t, m.Renew(t.Context(), l, ttl), "synchronous is 0")
	permanent(t, m.Release(t.Context(), l), "synchronous is 0")
	execute(t, db, "PRAGMA synchronous = FULL")
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Error(err)
	}
}

func TestTermsRiseThoughRowsAreDeletedAndPutBack(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	db := lite(t, path, wal)
	last := lease.Term(0)
	for range 5 {
		m := open(t, Config{DB: db, Dialect: SQLite}) // one that remembers nothing
		l := acquire(t, m, alice, ttl)
		if l.Term <= last {
			t.Fatalf("term %d follows %d", l.Term, last)
		}
		last = l.Term
		stop, err := m.Watch(key, func(lease.Record) {})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		execute(t, db, "DELETE FROM tenure_lease")
		lost(t, m.Renew(t.Context(), l, ttl), lease.Holder{})
		if r, err := m.Read(t.Context(), key); err != nil || r.Term != last || !r.Vacant() {
			t.Errorf("of a deleted row: %+v, %v", r, err)
		}
	}
	m := open(t, Config{DB: db, Dialect: SQLite})
	acquire(t, m, alice, ttl)
	execute(t, db, "UPDATE tenure_lease SET record = 'x'")
	_, err := m.Acquire(t.Context(), key, bob, ttl)
	permanent(t, err, "unusable", "table tenure_lease")
}

func TestManyProcessesMayMakeTheTablesAtOnce(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	granted := make([]error, 8)
	together(len(granted), func(i int) {
		m, err := New(Config{DB: lite(t, path, wal), Dialect: SQLite, Table: "elections"})
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

func TestASQLiteTransactionCommitsOnlyWhileTheLeaseIsHeld(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	m := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	db := lite(t, path, wal+"&_txlock=immediate")
	execute(t, db, "CREATE TABLE work (term INTEGER NOT NULL)")
	fence(t, m, db, nil)
}

func TestAReaderWhoseLeaseIsTakenMeanwhileCannotWrite(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	m := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	db := lite(t, path, wal)
	execute(t, db, "CREATE TABLE work (term INTEGER NOT NULL)")
	l := acquire(t, m, alice, ttl)
	tx, err := db.BeginTx(t.Context(), nil) // a transaction that has locked nothing yet
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := m.Fence(t.Context(), tx, l); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	acquire(t, m, bob, ttl)
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO work (term) VALUES (?)", int64(l.Term)); err == nil {
		t.Error("it wrote after a later leader had been granted the lease")
	}
}

func TestEveryFaultOfAConfigIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Table: "a; DROP TABLE b", Poll: -1})
	if err == nil || len(strings.Split(err.Error(), "\n")) != 4 || !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("it returned %v", err)
	}
	db := lite(t, liteFile(t), wal)
	for table, ok := range map[string]bool{"": true, "a_1": true, "a.b": false, "1a": false, "a b": false,
		strings.Repeat("a", 48): true, strings.Repeat("a", 49): false} {
		if _, err := New(Config{DB: db, Dialect: SQLite, Table: table}); (err == nil) != ok {
			t.Errorf("%q: %v", table, err)
		}
	}
	for d, want := range map[Dialect]string{MySQL: "mysql", SQLite: "sqlite", 0: "no dialect"} {
		if d.String() != want {
			t.Errorf("%d is %q", d, d)
		}
	}
	if _, err := New(Config{DB: db, Dialect: MySQL, Table: "db.leases"}); err != nil {
		t.Error(err)
	}
}
