package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// Dialect is the kind of database. The zero Dialect is none.
type Dialect int

const (
	// MySQL is MySQL 8 or later and MariaDB 10.3 or later, with InnoDB. The tests run on MariaDB.
	MySQL Dialect = iota + 1
	// SQLite is SQLite 3.24 or later, for processes of one host.
	SQLite
)

// String returns the name of the dialect in lower case.
func (d Dialect) String() string {
	switch d {
	case MySQL:
		return "mysql"
	case SQLite:
		return "sqlite"
	}
	return "no dialect"
}

// Config says where the leases are. DB and Dialect must be set.
type Config struct {
	// DB is the caller's pool of connections. It is not closed here. A Manager needs one connection at a time, and goes
	// well with a pool that has only one.
	DB *sql.DB
	// Dialect is what DB speaks.
	Dialect Dialect
	// Table is the name of the table: letters, digits and _, at most 48 bytes; for MySQL the name of its database and a
	// dot may stand before it. Empty means tenure_lease. [Manager.Migrate] makes it.
	Table string
	// Poll is how often watched keys are looked at, all with one query. Zero means 1 s for MySQL. For SQLite, which is
	// asked whether anything has changed at all, it means 50 ms.
	Poll time.Duration
	// Relaxed accepts a database that may forget what it confirmed when its host, or the server, crashes: of MySQL any
	// innodb_flush_log_at_trx_commit and sync_binlog, of SQLite any PRAGMA synchronous. Then two may lead after such a
	// crash, and a term may be given out twice. A Galera cluster whose nodes never crash all at once can do with it.
	Relaxed bool
}

const (
	defaultTable = "tenure_lease"
	mysqlPoll    = time.Second
	sqlitePoll   = 50 * time.Millisecond
	// A renewal is a write that is synced to disk; less than this is not kept up on a busy one.
	minTTL = 100 * time.Millisecond
)

var (
	tableName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,47}$`)
	qualifiedName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,63}\.)?[A-Za-z_][A-Za-z0-9_]{0,47}$`)
)

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	if c.DB == nil {
		faults = append(faults, errors.New("sql: Config.DB is nil; set it to an open database"))
	}
	if c.Dialect != MySQL && c.Dialect != SQLite {
		faults = append(faults, fmt.Errorf("sql: Config.Dialect is %d; set it to MySQL or SQLite", int(c.Dialect)))
	}
	name := tableName
	if c.Dialect == MySQL {
		name = qualifiedName
	}
	if c.Table != "" && !name.MatchString(c.Table) {
		faults = append(faults, fmt.Errorf("sql: Config.Table %.80q is no name of 1 to 48 letters, digits and _", c.Table))
	}
	if c.Poll < 0 {
		faults = append(faults, fmt.Errorf("sql: Config.Poll %v is negative", c.Poll))
	}
	return errors.Join(faults...)
}

// engine is what the dialects do differently.
type engine interface {
	lease.Manager
	lease.Reader
	lease.Watcher
	lease.Limiter
	migrate(ctx context.Context) error
	fence(ctx context.Context, tx *sql.Tx, l lease.Lease) error
}

// Manager is the leases of one table. It is safe for concurrent use and needs no closing: it has a goroutine only while
// something is watched.
type Manager struct{ e engine }

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns the Manager of a table, or every fault of c. It does not ask the database anything: a process may start
// before its database does, and stands by meanwhile.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	if c.Table == "" {
		c.Table = defaultTable
	}
	if c.Dialect == MySQL {
		if c.Poll == 0 {
			c.Poll = mysqlPoll
		}
		return &Manager{newServer(c)}, nil
	}
	if c.Poll == 0 {
		c.Poll = sqlitePoll
	}
	e, err := newLocal(c)
	if err != nil {
		return nil, lease.Permanent(err)
	}
	return &Manager{e}, nil
}

// Limits returns that a lease lasts 100 ms to 30 days.
func (m *Manager) Limits() lease.Limits { return m.e.Limits() }

// Acquire takes the lease on key for h; see [lease.Manager].
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	return m.e.Acquire(ctx, key, h, ttl)
}

// Renew makes l last ttl from now on; see [lease.Manager]. A lease that has run out, but that nobody has taken, is
// renewed, too.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	return m.e.Renew(ctx, l, ttl)
}

// Release gives l up and leaves its term behind; see [lease.Manager]. Releasing again returns nil until the lease is
// granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error { return m.e.Release(ctx, l) }

// Read returns what is known of key; see [lease.Reader].
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	return m.e.Read(ctx, key)
}

// Watch calls changed with what becomes known of key; see [lease.Watcher]. It looks every Config.Poll.
func (m *Manager) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	return m.e.Watch(key, changed)
}

// Migrate makes what is missing of the table; it changes nothing that is there. Any number of processes may call it at
// once, at each start. It needs the right to create tables only if something is missing.
func (m *Manager) Migrate(ctx context.Context) error { return m.e.migrate(ctx) }

// Fence makes the caller's transaction tx fail unless l is held when it commits: tx is on the same database, and l is
// held as long as nobody has released or taken it. If it is not, Fence returns a [lease.LostError]. After that, as
// after any other error, tx is rolled back, so that Commit fails even if nobody looks at the error.
//
// Call it last, just before Commit. Until tx has ended nobody is granted the lease, and with MySQL it cannot be
// renewed either. With SQLite tx must also write, before or after, as a transaction that is worth a fence does; if it
// began without a lock (BEGIN DEFERRED) and the lease was taken meanwhile, the write fails.
func (m *Manager) Fence(ctx context.Context, tx *sql.Tx, l lease.Lease) error {
	err := m.e.fence(ctx, tx, l)
	if err != nil {
		_ = tx.Rollback()
	}
	return err
}

// limits is the same for both, since what bounds them is what people wait for.
func limits() lease.Limits { return lease.Limits{MinTTL: minTTL, MaxTTL: register.MaxTTL} }

// fail names the operation and the key; the causes stay visible to errors.Is.
func fail(op, key string, err error) error {
	return fmt.Errorf("lease: %s %q: %w", op, key, oneLine{err})
}

// oneLine is an error whose text has no line breaks, so that joined causes read as one sentence in a log.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }
