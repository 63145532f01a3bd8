//go:build linux

package sql

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// childEnv makes a copy of the test binary a child: its value says what to do.
const childEnv = "TENURE_SQL_TEST_CHILD"

// Most tests wait for leases to run out and for servers, so many wait at once; -parallel on the command line counts
// more.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16")
	if what := os.Getenv(childEnv); what != "" {
		if err := children[what](os.Args[1:]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	_ = mysql.SetLogger(&mysql.NopLogger{}) // the driver prints what it returns, too
	goleak.VerifyTestMain(m)
}

const (
	key = "billing"
	ttl = time.Minute
)

var (
	alice = lease.Holder{Name: "alice", Incarnation: "a1", Meta: "http://alice/é"}
	bob   = lease.Holder{Name: "bob", Incarnation: "b1"}
)

// account is how a test logs in to MariaDB.
type account struct {
	user, password, database string
	params                   map[string]string
	found                    bool // count rows that are found, not those that become different
	interpolate              bool
}

func dial(t leasetest.TB, addr string, a account) *sql.DB {
	t.Helper()
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", addr, a.user, a.password, a.database
	c.Params, c.ClientFoundRows, c.InterpolateParams = a.params, a.found, a.interpolate
	c.Timeout = 5 * time.Second
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var root = account{user: "root", database: "tenure", interpolate: true}

// mariaDB starts a server with a database.
func mariaDB(t *testing.T, extra ...string) *servers.Server {
	t.Helper()
	s := servers.Test(t, servers.MariaDB(extra...))
	execute(t, dial(t, s.Addr(), account{user: "root"}), "CREATE DATABASE tenure")
	return s
}

func execute(t leasetest.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(pause) {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), statement, args...)
		switch {
		case busy(err) && time.Now().Before(end): // somebody else has the file
		case err != nil:
			t.Fatalf("%s: %v", statement, err)
		default:
			return
		}
	}
}

// open returns a Manager on a table that is there.
func open(t leasetest.TB, c Config) *Manager {
	t.Helper()
	m, err := New(c)
	if err == nil {
		err = m.Migrate(t.Context())
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// lite opens a database file.
func lite(t leasetest.TB, path, pragmas string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?"+pragmas)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

const wal = "_pragma=journal_mode(wal)"

func liteFile(t leasetest.TB) string { return filepath.Join(t.TempDir(), "leases.db") }

func acquire(t leasetest.TB, m *Manager, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

// await takes the lease as soon as it is free.
func await(t leasetest.TB, m *Manager, h lease.Holder) lease.Lease {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		l, err := m.Acquire(t.Context(), key, h, ttl)
		if err == nil {
			return l
		}
		if !errors.Is(err, lease.ErrHeld) || time.Now().After(end) {
			t.Fatalf("%v", err)
		}
	}
}

// permanent fails unless err needs attention and says all of parts, in one line and without the password.
func permanent(t *testing.T, err error, parts ...string) {
	t.Helper()
	if _, refusal := lease.Refusal(err); refusal || !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("%v is not marked as needing attention", err)
		return
	}
	for _, part := range append(parts, key) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
		t.Errorf("it has a line break or a password: %q", err)
	}
}

// lost fails unless err is a refusal because the lease is l no longer.
func lost(t *testing.T, err error, holder lease.Holder) {
	t.Helper()
	record, ok := lease.Refusal(err)
	if !ok || !errors.Is(err, lease.ErrLost) || record.Holder != holder {
		t.Errorf("%v with %+v; want ErrLost, held by %s", err, record, holder)
	}
}

func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
