package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// server is the engine for MySQL and MariaDB.
type server struct {
	db      *sql.DB
	table   string
	relaxed bool
	poll    *poller

	create, state, acquire, begin, renew, release, lock string
}

// trusted is the condition that a statement may be relied on, without and with the one that Config.Relaxed leaves out.
const (
	trusted = "@@autocommit = 1 AND @@global.read_only IN ('0', 'OFF')" // a number, and in later MariaDB a word
	durable = " AND @@global.innodb_flush_log_at_trx_commit = 1 AND " + logged
	// With a binary log InnoDB does not flush the commit itself: what a crash has left prepared is rolled back unless it
	// is found in that log.
	logged = "(@@global.sync_binlog = 1 OR @@global.log_bin IN ('0', 'OFF'))"
)

// The clock of a statement stands still from its beginning, so all uses of it in one statement are one instant. That
// may be long before the statement is carried out, and one that was sent later may have overtaken it: two renewals wait
// for a table that is being backed up, say, and when it is free the second comes first, and its sender relies on it.
// Therefore asked_at is the beginning of the latest, and none that began earlier may bring the end nearer. Nor may an
// acquisition of the holder itself: should one that was given up overtake a grant, nobody else may have the lease
// before the holder of that grant gives up.
func newServer(c Config) *server {
	s := &server{db: c.DB, table: c.Table, relaxed: c.Relaxed}
	s.poll = newPoller(c.Poll, s.look)
	guard := trusted
	if !c.Relaxed {
		guard += durable
	}
	const mine = "lease_key = ? AND holder = ? AND incarnation = ? AND term = ? AND holder <> ''"
	const end = "UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND"
	const left = "TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), expires_at)"
	in := strings.NewReplacer("{table}", c.Table, "{guard}", guard, "{mine}", mine, "{end}", end, "{left}", left,
		"{max}", fmt.Sprint(uint64(register.MaxTerm))).Replace
	s.create = in(`CREATE TABLE IF NOT EXISTS {table} (
  lease_key VARBINARY(253) NOT NULL PRIMARY KEY,
  term BIGINT UNSIGNED NOT NULL,
  holder VARBINARY(253) NOT NULL,
  incarnation VARBINARY(253) NOT NULL,
  meta VARBINARY(1024) NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  asked_at DATETIME(6) NOT NULL
) ENGINE=InnoDB`)
	s.state = in(`SELECT @@autocommit, @@global.read_only, @@global.innodb_flush_log_at_trx_commit, ` + logged + `,
  term, holder, incarnation, meta, {left}
  FROM (SELECT 1) AS one LEFT JOIN {table} ON lease_key = ?`)
	// Columns are assigned from left to right: those that the others look at come last.
	s.acquire = in(`UPDATE {table} SET
  expires_at = IF(holder = ? AND incarnation = ?, GREATEST(expires_at, {end}), {end}),
  asked_at = IF(holder = ? AND incarnation = ?, GREATEST(asked_at, UTC_TIMESTAMP(6)), UTC_TIMESTAMP(6)),
  term = LAST_INSERT_ID(term + 1), holder = ?, incarnation = ?, meta = ?
  WHERE lease_key = ? AND (holder = '' OR expires_at <= UTC_TIMESTAMP(6) OR holder = ? AND incarnation = ?)
  AND term < {max} AND {guard}`)
	s.begin = in(`INSERT INTO {table} (lease_key, term, holder, incarnation, meta, expires_at, asked_at)
  SELECT ?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), '', '', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
  FROM (SELECT 1) AS one WHERE {guard}`)
	s.renew = in(`UPDATE {table} SET
  expires_at = IF(asked_at < UTC_TIMESTAMP(6), {end}, GREATEST(expires_at, {end})),
  asked_at = GREATEST(asked_at, UTC_TIMESTAMP(6)) WHERE {mine} AND {guard}`)
	s.release = in(`UPDATE {table} SET holder = '', incarnation = '', meta = '', expires_at = UTC_TIMESTAMP(6)
  WHERE {mine} AND {guard}`)
	s.lock = in(`SELECT term, holder, incarnation, meta, {left} FROM {table} WHERE lease_key = ? LOCK IN SHARE MODE`)
	return s
}

func (s *server) Limits() lease.Limits { return limits() }

// tries bounds how often a call begins anew because the row changed between two of its statements.
const tries = 5

func (s *server) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), limits().Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	l := lease.Lease{Key: key, Holder: h}
	var held *lease.HeldError
	err := s.on(ctx, func(c *sql.Conn) (err error) {
		l.Term, held, err = s.take(ctx, c, key, h, ttl)
		return err
	})
	switch {
	case err != nil:
		return lease.Lease{}, fail("acquire", key, err)
	case held != nil:
		return lease.Lease{}, held
	}
	return l, nil
}

// on calls f with a connection of its own, so that what f finds out about the connection is true of all its statements.
// A connection that turns out to be gone before anything was sent is replaced, as database/sql does.
func (s *server) on(ctx context.Context, f func(*sql.Conn) error) error {
	for try := 1; ; try++ {
		c, err := s.db.Conn(ctx)
		if err == nil {
			err = f(c)
			_ = c.Close() // gives it back to the pool
		}
		if try == tries || !errors.Is(err, driver.ErrBadConn) {
			return s.explain(err)
		}
	}
}

// take returns the term that was granted, or who holds the lease.
func (s *server) take(ctx context.Context, c *sql.Conn, key string, h lease.Holder, ttl time.Duration) (lease.Term,
	*lease.HeldError, error) {
	for range tries {
		lasts := ttl.Microseconds()
		r, err := c.ExecContext(ctx, s.acquire, h.Name, h.Incarnation, lasts, lasts, h.Name, h.Incarnation,
			h.Name, h.Incarnation, h.Meta, key, h.Name, h.Incarnation)
		n, err := affected(r, err)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 {
			term, err := r.LastInsertId()
			if err == nil && term <= 0 {
				err = errors.New("the driver does not tell LAST_INSERT_ID; use another")
			}
			return lease.Term(max(term, 0)), nil, err
		}
		row, err := s.read(ctx, c, key)
		switch {
		case err != nil:
			return 0, nil, err
		case row.Term >= register.MaxTerm:
			return 0, nil, lease.Permanent(fmt.Errorf("no term is left after %d", row.Term))
		case row.Term == 0:
			// Another process may have made the row meanwhile.
			if _, err := c.ExecContext(ctx, s.begin, key); err != nil && number(err) != mysqlDuplicate {
				return 0, nil, err
			}
		case !row.Vacant() && !row.Holder.Is(h):
			return 0, &lease.HeldError{Record: row}, nil
		}
	}
	return 0, nil, fmt.Errorf("the lease changed hands %d times meanwhile", tries)
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *server) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := errors.Join(lease.CheckKey(l.Key), limits().Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	return s.change(ctx, "renew", l, ttl, s.renew, ttl.Microseconds(), ttl.Microseconds())
}

func (s *server) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	err := s.change(ctx, "release", l, 0, s.release)
	var lost *lease.LostError
	if errors.As(err, &lost) && lost.Record.Holder.IsZero() && lost.Record.Term == l.Term && l.Term > 0 {
		return nil // by an earlier call
	}
	return err
}

// change carries out a statement about l. If no row is affected it looks why. The row may be ours all the same: some
// drivers count only rows that become different, and a renewal may bring about the very same microsecond; so it is
// tried again, unless the lease lasts for ttl anyway, as it does when the clock of the database was set back.
func (s *server) change(ctx context.Context, op string, l lease.Lease, ttl time.Duration, statement string,
	args ...any) error {
	args = append(args, l.Key, l.Holder.Name, l.Holder.Incarnation, uint64(l.Term))
	var lost *lease.LostError
	err := s.on(ctx, func(c *sql.Conn) error {
		for range tries {
			n, err := affected(c.ExecContext(ctx, statement, args...))
			if err != nil || n > 0 {
				return err
			}
			row, err := s.read(ctx, c, l.Key)
			if err != nil {
				return err
			}
			if row.Holder.IsZero() || !row.Holder.Is(l.Holder) || row.Term != l.Term {
				lost = &lease.LostError{Lease: l, Record: row}
				return nil
			}
			if ttl > 0 && row.Remaining >= ttl {
				return nil
			}
		}
		return fmt.Errorf("%d statements changed nothing, though the row says that the lease is held", tries)
	})
	switch {
	case err != nil:
		return fail(op, l.Key, err)
	case lost != nil:
		return lost
	}
	return nil
}

func (s *server) Read(ctx context.Context, key string) (row lease.Record, err error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	err = s.on(ctx, func(c *sql.Conn) error {
		row, err = s.read(ctx, c, key)
		return err
	})
	if err != nil {
		return lease.Record{}, fail("read", key, err)
	}
	return row, nil
}

// read returns the row of key; one with the term 0 if there is none. It fails if the server may not be trusted.
func (s *server) read(ctx context.Context, c *sql.Conn, key string) (lease.Record, error) {
	var auto, readonly string
	var flush int
	var synced bool
	var r nullableRow
	err := c.QueryRowContext(ctx, s.state, key).Scan(&auto, &readonly, &flush, &synced,
		&r.term, &r.holder, &r.incarnation, &r.meta, &r.left)
	switch {
	case err != nil:
		return lease.Record{}, err
	case auto != "1":
		_, err := c.ExecContext(ctx, "ROLLBACK") // or the locks of our statements would stay with the connection
		fault := errors.New("the connection does not commit by itself: set autocommit to 1")
		return lease.Record{}, lease.Permanent(errors.Join(fault, err))
	case flush != 1 && !s.relaxed:
		return lease.Record{}, lease.Permanent(fmt.Errorf("the server may forget leases when it crashes "+
			"(innodb_flush_log_at_trx_commit is %d): set it to 1, or accept that with Config.Relaxed", flush))
	case !synced && !s.relaxed:
		return lease.Record{}, lease.Permanent(errors.New("the server may forget leases when its host crashes (it has a " +
			"binary log, and sync_binlog is not 1): set it to 1, or accept that with Config.Relaxed"))
	case readonly != "0" && readonly != "OFF":
		return lease.Record{}, errReadOnly
	}
	return r.record(key, s.table)
}

func (s *server) migrate(ctx context.Context) error {
	err := s.on(ctx, func(c *sql.Conn) error {
		_, err := s.read(ctx, c, "migrate")
		return err
	})
	if err == nil {
		return nil // it is there; who may not create tables may use it
	}
	_, err = s.db.ExecContext(ctx, s.create)
	if err != nil {
		return fmt.Errorf("sql: create table %s: %w", s.table, oneLine{s.explain(err)})
	}
	return nil
}

func (s *server) fence(ctx context.Context, tx *sql.Tx, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	var r nullableRow
	err := tx.QueryRowContext(ctx, s.lock, l.Key).Scan(&r.term, &r.holder, &r.incarnation, &r.meta, &r.left)
	if errors.Is(err, sql.ErrNoRows) {
		return &lease.LostError{Lease: l, Record: lease.Record{Lease: lease.Lease{Key: l.Key}}}
	}
	if err != nil {
		return fail("fence", l.Key, s.explain(err))
	}
	row, err := r.record(l.Key, s.table)
	return fenced(l, row, err)
}

// fenced judges what the row of l says.
func fenced(l lease.Lease, row lease.Record, err error) error {
	if err != nil {
		return fail("fence", l.Key, err)
	}
	if l.Holder.IsZero() || !row.Holder.Is(l.Holder) || row.Term != l.Term {
		return &lease.LostError{Lease: l, Record: row}
	}
	return nil
}

func (s *server) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return s.poll.audience.Add(key, changed), nil
}

// batch bounds the keys of one query.
const batch = 500

// look reads the rows of keys. Rows that make no sense are passed over; Acquire reports them.
func (s *server) look(ctx context.Context, keys []string, _ bool) (map[string]view, error) {
	views := map[string]view{}
	for some := range slices.Chunk(keys, batch) {
		args := make([]any, len(some))
		for i, key := range some {
			// A key without a row is no news at first.
			views[key], args[i] = view{record: lease.Record{Lease: lease.Lease{Key: key}}}, key
		}
		query := "SELECT lease_key, CAST(expires_at AS CHAR), term, holder, incarnation, meta, " +
			"TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), expires_at) FROM " + s.table +
			" WHERE lease_key IN (?" + strings.Repeat(", ?", len(some)-1) + ")"
		rows, err := s.db.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var key string
			var end sql.NullString
			var r nullableRow
			err := rows.Scan(&key, &end, &r.term, &r.holder, &r.incarnation, &r.meta, &r.left)
			if err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if record, err := r.record(key, s.table); err == nil {
				views[key] = view{fmt.Sprintf("%+v %s", record.Lease, end.String), record}
			} else {
				delete(views, key)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return views, nil
}
