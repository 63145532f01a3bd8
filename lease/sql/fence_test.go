//go:build linux

package sql

import (
	"database/sql"
	"testing"

	"github.com/go-tenure/tenure/lease"
)

// fence tries what both dialects promise: work, a table with a column term, is written under the fence of a lease.
func fence(t *testing.T, m *Manager, db *sql.DB, o *sql.TxOptions) {
	t.Helper()
	write := func(l lease.Lease) error {
		t.Helper()
		tx, err := db.BeginTx(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO work (term) VALUES (?)", int64(l.Term)); err != nil {
			t.Fatal(err)
		}
		err = m.Fence(t.Context(), tx, l)
		if done := tx.Commit(); (done == nil) != (err == nil) {
			t.Errorf("the fence says %v, and yet the commit %v", err, done)
		}
		return err
	}
	never := lease.Lease{Key: key, Holder: alice, Term: 1}
	lost(t, write(never), lease.Holder{})
	first := acquire(t, m, alice, ttl)
	if err := write(first); err != nil {
		t.Fatal(err)
	}
	again := acquire(t, m, alice, ttl)
	lost(t, write(first), alice) // the same holder, a later term
	if err := write(again); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	lost(t, write(again), lease.Holder{})
	lost(t, write(lease.Lease{Key: key, Term: again.Term}), lease.Holder{}) // a vacant row is nobody's
	next := acquire(t, m, bob, ttl)
	lost(t, write(again), bob)
	if err := write(next); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM work").Scan(&n); err != nil || n != 3 {
		t.Errorf("%d rows were written, %v; want the 3 whose lease was held", n, err)
	}
	if err := write(lease.Lease{Key: ""}); err == nil {
		t.Error("a fence without a key holds")
	}
}
