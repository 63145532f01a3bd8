package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/lease"
)

// Fence makes tx fail unless l is still held, under its very term, and keeps it so until tx has ended: nobody is
// granted the key before tx is committed or rolled back, so what tx writes stands before whatever the next leader does.
// The leader's own renewals go on meanwhile. The table of leases must be in the database that tx writes to.
//
// If the lease is not held, Fence returns a *[lease.LostError], and the server has aborted tx: it can only be rolled
// back, and Commit fails, even if the error is not looked at. (Unless Fence is called inside a savepoint that is rolled
// back: call it outside.) Any other error means that tx cannot be relied on either: roll it back.
//
// Call it last, just before Commit: then a takeover waits no longer than the commit takes. Called first it fails early,
// but keeps successors waiting for as long as tx is open; if the host of tx dies, until the server notices: set
// idle_in_transaction_session_timeout for such a role.
//
// At READ COMMITTED, which is the default, a lease that has run out is not held, taken by another or not. At
// REPEATABLE READ and SERIALIZABLE the snapshot of tx hides renewals, so running out is not looked at, nor is a release
// since then; if the lease was taken since the snapshot, the error is a serialization failure (SQLSTATE 40001), and a
// new transaction gets the LostError.
func (m *Manager) Fence(ctx context.Context, tx *sql.Tx, l lease.Lease) error {
	return m.fenced(ctx, l, tx.QueryRowContext(ctx, m.sql.fence, fenceArgs(l)...))
}

// FencePgx is Fence for a transaction of pgx.
func (m *Manager) FencePgx(ctx context.Context, tx pgx.Tx, l lease.Lease) error {
	return m.fenced(ctx, l, tx.QueryRow(ctx, m.sql.fence, fenceArgs(l)...))
}

func fenceArgs(l lease.Lease) []any {
	return []any{l.Key, l.Holder.Name, l.Holder.Incarnation, int64(l.Term)}
}

func (m *Manager) fenced(ctx context.Context, l lease.Lease, row interface{ Scan(...any) error }) error {
	var one int
	err := row.Scan(&one)
	switch {
	case err == nil:
		return nil
	case state(err) == "22P02": // the text that is no number: the statement has no other way to this state
		return fmt.Errorf("lease: fence: %w; the transaction was aborted", &lease.LostError{Lease: l})
	case raced(err):
		return fmt.Errorf("lease: fence %q: %w; the transaction was aborted, try a new one", l.Key, oneLine{err})
	}
	return m.fail(ctx, "fence", l.Key, err)
}
