package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/go-tenure/tenure/lease"
	leasesql "github.com/go-tenure/tenure/lease/sql"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+"?_pragma=journal_mode(wal)&_txlock=immediate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	m, err := leasesql.New(leasesql.Config{DB: db, Dialect: leasesql.SQLite})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := m.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	h := lease.Holder{Name: "node-a", Incarnation: lease.NewIncarnation()}
	l, err := m.Acquire(ctx, "billing", h, 15*time.Second)
	fmt.Println(l.Key, l.Holder, l.Term, err)
	// Output: billing node-a 1 <nil>
}

// Work that writes to the database that keeps the lease is fenced by it: what a leader writes that has been replaced
// without knowing it is rolled back.
func ExampleManager_Fence() {
	work := func(ctx context.Context, db *sql.DB, m *leasesql.Manager, held lease.Lease) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		if _, err := tx.ExecContext(ctx, "UPDATE invoices SET sent = 1 WHERE sent = 0"); err != nil {
			return err
		}
		if err := m.Fence(ctx, tx, held); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = work
}
