package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// server is shared by the tests that do not break it. It waits for the disk as a real one does: nothing is switched
// off that a lease rests on.
var server *servers.Server

func TestMain(m *testing.M) { goleak.VerifyTestMain(withServer{m}) }

type withServer struct{ m *testing.M }

func (w withServer) Run() int {
	var err error
	if server, err = servers.Start(context.Background(), servers.Postgres(settings...)); err != nil {
		fmt.Println(err)
		return 1
	}
	code := w.m.Run()
	if err := server.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	_ = os.Stdout.Sync()
	return code
}

var settings = []string{
	"fsync = on", "max_connections = 300", "deadlock_timeout = 10s", "max_prepared_transactions = 1",
}

// address is the URL of a database at addr, with further parameters.
func address(addr, user string, params ...string) string {
	return "postgres://" + user + "@" + addr + "/postgres?" + strings.Join(append(params, "connect_timeout=5"), "&")
}

// open opens a pool for the length of the test.
func open(t servers.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatalf("%v", err)
	}
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func super(t servers.TB) *sql.DB {
	t.Helper()
	return open(t, address(server.Addr(), "postgres"))
}

func must(t servers.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var names atomic.Int64

// unique makes a name that no other test uses, nor the same one when it runs again.
func unique(prefix string) string { return fmt.Sprintf("%s_%d", prefix, names.Add(1)) }

// fresh makes a table that no other test uses.
func fresh(t servers.TB, db *sql.DB) string {
	t.Helper()
	name := unique("lease")
	if err := Migrate(t.Context(), db, name); err != nil {
		t.Fatalf("%v", err)
	}
	return name
}

func manager(t servers.TB, c Config) *Manager {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// listenAt is a Config.Listen.
func listenAt(url string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }
}

func holder(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: lease.NewIncarnation(), Meta: "http://10.1.2.3/" + name}
}

func acquired(t *testing.T, m lease.Manager, key string, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// says fails unless err says each text, and is lease.ErrPermanent as wanted.
func says(t *testing.T, err error, permanent bool, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; it should say %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
	if got := isPermanent(err); got != permanent {
		t.Errorf("%q: permanent is %v, want %v", err, got, permanent)
	}
}
