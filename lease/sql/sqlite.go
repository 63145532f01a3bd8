package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// local is the engine for SQLite: package register on the rows of a table.
type local struct {
	*register.Watcher
	rows *rows
}

func newLocal(c Config) (*local, error) {
	r := &rows{db: c.DB, table: c.Table, relaxed: c.Relaxed}
	r.poll = newPoller(c.Poll, r.look)
	w, err := register.NewWatcher(register.Config{
		Register: r, Limits: limits(), Shared: r.shared,
		Where: func(string) string { return "table " + c.Table },
	})
	if err != nil {
		return nil, err
	}
	return &local{w, r}, nil
}

func (l *local) migrate(ctx context.Context) error {
	t := l.rows.table
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS " + t + "_term (lease_key TEXT PRIMARY KEY NOT NULL, " +
			"term INTEGER NOT NULL) WITHOUT ROWID",
		"CREATE TABLE IF NOT EXISTS " + t + " (lease_key TEXT PRIMARY KEY NOT NULL, term INTEGER NOT NULL, " +
			"record TEXT NOT NULL) WITHOUT ROWID",
		"CREATE TRIGGER IF NOT EXISTS " + t + "_deleted BEFORE DELETE ON " + t + " BEGIN INSERT INTO " + t +
			"_term (lease_key, term) VALUES (OLD.lease_key, OLD.term) ON CONFLICT (lease_key) " +
			"DO UPDATE SET term = max(term, excluded.term); END",
	} {
		err := l.rows.patiently(ctx, func() error {
			_, err := l.rows.db.ExecContext(ctx, statement)
			return err
		})
		if err != nil {
			return fmt.Errorf("sql: create table %s: %w", t, oneLine{l.rows.explain(err)})
		}
	}
	return nil
}

func (l *local) fence(ctx context.Context, tx *sql.Tx, held lease.Lease) error {
	if err := lease.CheckKey(held.Key); err != nil {
		return lease.Permanent(err)
	}
	value, version, err := l.rows.load(ctx, tx, held.Key)
	var b register.Body
	if err == nil && version != "" {
		b, err = register.Decode(held.Key, value)
	}
	row := lease.Record{Lease: lease.Lease{Key: held.Key, Holder: b.Holder, Term: b.Term}, Remaining: -1}
	return fenced(held, row, err)
}

// rows is the [register.Notifier]. The version of a record is the record itself.
type rows struct {
	db      *sql.DB
	table   string
	relaxed bool
	poll    *poller
	domain  atomic.Pointer[string] // of the boot clock; nil until the file of the database is known

	// What the last look saw. Used by the poller alone.
	connection any
	changes    int64
}

// deletedVersion is the version of a row that was deleted and left a term behind.
func deletedVersion(term lease.Term) string { return fmt.Sprint("deleted under term ", term) }

// Load returns the record of key, see [register.Register].
func (r *rows) Load(ctx context.Context, key string) (value []byte, version string, err error) {
	err = r.patiently(ctx, func() error {
		value, version, err = r.load(ctx, r.db, key)
		return err
	})
	return value, version, err
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// load reads the record of key. Of a row that was deleted it returns the record of a lease that was released.
func (r *rows) load(ctx context.Context, q querier, key string) ([]byte, string, error) {
	var record, file sql.NullString
	var deleted sql.NullInt64
	var synchronous int
	err := q.QueryRowContext(ctx, "SELECT (SELECT record FROM "+r.table+" WHERE lease_key = ?), "+
		"(SELECT term FROM "+r.table+"_term WHERE lease_key = ?), (SELECT synchronous FROM pragma_synchronous), "+
		"(SELECT file FROM pragma_database_list WHERE name = 'main')", key, key).
		Scan(&record, &deleted, &synchronous, &file)
	switch {
	case err != nil:
		return nil, "", r.explain(err)
	case synchronous < 2 && !r.relaxed: // 2 is FULL
		return nil, "", lease.Permanent(fmt.Errorf("the database may forget leases when the host crashes (synchronous is "+
			"%d): set PRAGMA synchronous = FULL, or accept that with Config.Relaxed", synchronous))
	}
	if r.domain.Load() == nil {
		d := ""
		if file.String != "" {
			d = bootclock.Domain(file.String)
		}
		r.domain.Store(&d)
	}
	switch {
	case record.Valid:
		return []byte(record.String), record.String, nil
	case deleted.Int64 > 0:
		b := register.Body{Term: lease.Term(deleted.Int64)}
		return register.Encode(key, b), deletedVersion(b.Term), nil
	}
	return nil, "", nil
}

// Store replaces the record of key, see [register.Register].
func (r *rows) Store(ctx context.Context, key string, value []byte, version string) (string, error) {
	b, err := register.Decode(key, value)
	if err != nil {
		return "", err
	}
	record := string(value)
	// Load looks at this, too, and says what is wrong; but that may be another connection.
	const durable = " AND (? OR (SELECT synchronous FROM pragma_synchronous) >= 2)"
	statement := "UPDATE " + r.table + " SET term = ?, record = ? WHERE lease_key = ? AND record = ?" + durable
	args := []any{int64(b.Term), record, key, version}
	if version == "" || strings.HasPrefix(version, deletedVersion(0)[:8]) { // a record begins with {
		statement = "INSERT INTO " + r.table + " (term, record, lease_key) SELECT ?, ?, ? WHERE ? = " +
			"COALESCE((SELECT 'deleted under term ' || term FROM " + r.table + "_term WHERE lease_key = ?), '')" + durable +
			" ON CONFLICT (lease_key) DO NOTHING"
		args = append(args, key)
	}
	args = append(args, r.relaxed)
	n := int64(0)
	err = r.patiently(ctx, func() error {
		result, err := r.db.ExecContext(ctx, statement, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	switch {
	case err != nil:
		return "", r.explain(err)
	case n == 0:
		return "", register.ErrConflict
	}
	r.poll.poke() // the database does not tell a connection of its own changes
	return record, nil
}

const (
	// How long a call waits for a database that another process has locked, if its context lets it wait so long.
	patience = 5 * time.Second
	// And how long between two tries.
	pause = 5 * time.Millisecond
)

// patiently calls f until the database is not locked. It does not rely on the busy_timeout of the caller's connections,
// which does not end with the context.
func (r *rows) patiently(ctx context.Context, f func() error) error {
	end := time.Now().Add(patience)
	var before error // why it had to be tried again
	for {
		err := f()
		switch {
		case before != nil && ctx.Err() != nil && !busy(err) && err != nil:
			return fmt.Errorf("%w: %w", err, before)
		case !busy(err) || time.Now().After(end):
			return err
		}
		before = err
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// shared reads the boot clock, if all who have the database open share it.
func (r *rows) shared() (string, time.Duration) {
	d := r.domain.Load()
	if d == nil || *d == "" {
		return "", 0
	}
	now, ok := bootclock.Now()
	if !ok {
		return "", 0
	}
	return *d, now
}

// Notify calls changed after changes of the record of key, see [register.Notifier].
func (r *rows) Notify(key string, changed func()) (func(), error) {
	return r.poll.audience.Add(key, func(lease.Record) { changed() }), nil
}

// look asks whether anything in the database has changed, and only then reads. The answer is a number that means
// something only on one and the same connection.
func (r *rows) look(ctx context.Context, keys []string, all bool) (map[string]view, error) {
	c, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // gives it back to the pool
	var connection any
	var changes int64
	err = c.Raw(func(driver any) error { connection = driver; return nil })
	if err == nil {
		err = c.QueryRowContext(ctx, "PRAGMA data_version").Scan(&changes)
	}
	if err != nil {
		return nil, err
	}
	if !all && connection == r.connection && changes == r.changes {
		return nil, nil
	}
	r.connection, r.changes = nil, 0
	views := map[string]view{}
	for some := range slices.Chunk(keys, batch) {
		args := make([]any, len(some))
		for i, key := range some {
			views[key], args[i] = view{state: ""}, key
		}
		found, err := c.QueryContext(ctx, "SELECT lease_key, record FROM "+r.table+" WHERE lease_key IN (?"+
			strings.Repeat(", ?", len(some)-1)+")", args...)
		if err != nil {
			return nil, err
		}
		for found.Next() {
			var key, record string
			if err := found.Scan(&key, &record); err == nil {
				views[key] = view{state: record}
			}
		}
		if err := errors.Join(found.Err(), found.Close()); err != nil {
			return nil, err
		}
	}
	r.connection, r.changes = connection, changes
	return views, nil
}
