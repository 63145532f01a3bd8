package postgres

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/lease"
)

// Nothing but LISTEN and FencePgx knows pgx: the statements and the errors are those of any driver.
func TestAnotherDriverWillDo(t *testing.T) {
	db, err := sql.Open("postgres", address(server.Addr(), "postgres", "sslmode=disable"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m := manager(t, Config{DB: db, Table: fresh(t, db), Poll: 10 * time.Millisecond})
	n := watch(t, m, "k")
	l := acquired(t, m, "k", holder("a"), time.Hour)
	contest.Eventually(t, "the grant is told", func() bool { return n.is(l) })
	if _, err := m.Acquire(t.Context(), "k", holder("b"), time.Hour); !errors.Is(err, lease.ErrHeld) {
		t.Error(err)
	}
	fence := func(l lease.Lease) error {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return errors.Join(m.Fence(t.Context(), tx, l), tx.Commit())
	}
	done(t, m.Renew(t.Context(), l, time.Hour), fence(l), m.Release(t.Context(), l))
	if err := fence(l); !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	if err := m.Renew(t.Context(), l, time.Hour); !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	_, err = manager(t, Config{DB: db, Table: "missing"}).Acquire(t.Context(), "k", holder("a"), time.Hour)
	says(t, err, true, "call Migrate")
}
