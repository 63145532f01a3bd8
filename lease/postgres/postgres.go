package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Manager is the leases of one table. It is a [lease.Manager], [lease.Watcher], [lease.Reader] and [lease.Limiter],
// safe for concurrent use, and needs no closing: goroutines and a connection for LISTEN exist only while something is
// watched.
type Manager struct {
	db    *sql.DB
	table table
	sql   statements
	hub   hub
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// Limits returns what a lease can be: 100 ms to [MaxTTL], in whole microseconds.
func (m *Manager) Limits() lease.Limits {
	return lease.Limits{MinTTL: minTTL, MaxTTL: MaxTTL, Step: time.Microsecond}
}

// How long an acquire waits for the lock of the row. The least is much, because who has it may be about to commit:
// transactions that notify do so one after the other, each after the disk and the standbys have answered the one
// before.
const (
	leastPatience = 500 * time.Millisecond
	mostPatience  = 2 * time.Second
)

// races is how often a call asks again when others came between what it saw and what it did.
const races = 32

// answer is what a statement returns: the term if it was carried out, or else the row that was in its way.
type answer struct {
	term int64
	told int64
	row  row
}

// Acquire takes the lease on key for h; see [lease.Manager]. It costs one statement; another one for each time that
// somebody else was quicker. If the row is locked by an open transaction, mostly one that is fenced by the lease of
// before, it waits for a tenth of ttl, but at least half a second and at most two, and returns an error that says so;
// nothing is granted then. What is granted waits for its commit as long as ctx allows.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	patience := max(leastPatience, min(ttl/10, mostPatience))
	for try := 1; ; try++ {
		a, err := m.ask(ctx, m.sql.acquire, key, h.Name, h.Incarnation, h.Meta, ttl.Microseconds(), m.table.last,
			fmt.Sprintf("%dms", patience.Milliseconds()))
		if err == nil && a.term > 0 {
			return lease.Lease{Key: key, Holder: h, Term: lease.Term(a.term)}, nil
		}
		if err == nil && a.row.found() {
			var r lease.Record
			if r, err = a.row.record(key); err == nil && !r.Vacant() && !r.Holder.Is(h) {
				return lease.Lease{}, &lease.HeldError{Record: r}
			}
		}
		switch {
		case err != nil && !(raced(err) && try < races && yield(ctx, try)):
			return lease.Lease{}, m.fail(ctx, "acquire", key, err)
		case try == races:
			return lease.Lease{}, m.fail(ctx, "acquire", key, errRaced)
		}
	}
}

// yield lets others be first, a little longer each time, and reports false if the context ends. At SERIALIZABLE even
// statements about different keys undo each other, over and over if all come again at once; on a busy machine each
// takes so long that short pauses part them from nobody.
func yield(ctx context.Context, try int) bool {
	return sleep(ctx, rand.N(min(time.Millisecond<<try, 128*time.Millisecond)), nil)
}

// errRaced is passing: under such contention somebody else has the lease.
var errRaced = fmt.Errorf("others came between %d times in a row", races)

// Renew makes l last ttl from now on; see [lease.Manager]. It costs one statement. A lease that has run out is renewed
// if nobody has taken it since.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	// A name that is none holds nothing and is refused like any other; the metadata would be written.
	meta := lease.Holder{Name: "-", Incarnation: "-", Meta: l.Holder.Meta}
	if err := errors.Join(lease.CheckKey(l.Key), meta.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	return m.change(ctx, "renew", l, m.sql.renew, l.Key, l.Holder.Name, l.Holder.Incarnation, l.Holder.Meta,
		ttl.Microseconds(), int64(l.Term))
}

// Release gives l up and leaves its term behind; see [lease.Manager]. It costs one statement. Releasing again returns
// nil until the lease is granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	return m.change(ctx, "release", l, m.sql.release, l.Key, l.Holder.Name, l.Holder.Incarnation, int64(l.Term),
		m.table.last)
}

// change carries out what only the holder of l may do.
func (m *Manager) change(ctx context.Context, op string, l lease.Lease, statement string, args ...any) error {
	for try := 1; ; try++ {
		a, err := m.ask(ctx, statement, args...)
		if err == nil && a.term > 0 {
			return nil
		}
		r := lease.Record{Lease: lease.Lease{Key: l.Key}}
		if err == nil && a.row.found() {
			r, err = a.row.record(l.Key)
		}
		switch ours := r.Holder.Is(l.Holder) && r.Term == l.Term && !r.Holder.IsZero(); {
		case err != nil && !(raced(err) && try < races && yield(ctx, try)):
			return m.fail(ctx, op, l.Key, err)
		case err != nil || ours && try < races: // it was granted between what the statement saw and what it did
			continue
		case ours:
			return m.fail(ctx, op, l.Key, errRaced)
		case op == "release" && r.Holder.IsZero() && r.Term == l.Term && r.Term > 0:
			return nil
		}
		return &lease.LostError{Lease: l, Record: r}
	}
}

// Read returns what is known of key; see [lease.Reader].
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	for try := 1; ; try++ {
		var w row
		err := m.db.QueryRowContext(ctx, m.sql.read, key).Scan(w.into()...)
		if errors.Is(err, sql.ErrNoRows) {
			return lease.Record{Lease: lease.Lease{Key: key}}, nil
		}
		var r lease.Record
		if err == nil {
			r, err = w.record(key)
		}
		switch {
		case err == nil:
			return r, nil
		case !(raced(err) && try < races && yield(ctx, try)):
			return lease.Record{}, m.fail(ctx, "read", key, err)
		}
	}
}

func (m *Manager) ask(ctx context.Context, statement string, args ...any) (answer, error) {
	var a answer
	err := m.db.QueryRowContext(ctx, statement, args...).Scan(append([]any{&a.term, &a.told}, a.row.into()...)...)
	return a, err
}
