package postgres

import (
	"fmt"
	"testing"
	"time"
)

// At SERIALIZABLE even a read is undone by the server if no order of the transactions explains what it would see: here
// it meets one that is about to be committed, and that has itself seen less than was there. It is made again until the
// other is out of the way.
func TestAReadThatTheServerUndoesIsMadeAgain(t *testing.T) {
	admin := super(t)
	table, other, strict := fresh(t, admin), unique("other"), unique("strict")
	l := acquired(t, manager(t, Config{DB: admin, Table: table}), "k", holder("a"), time.Hour)
	must(t, admin, "CREATE TABLE "+other+" (n int)", "CREATE ROLE "+strict+" LOGIN SUPERUSER",
		"ALTER ROLE "+strict+" SET default_transaction_isolation = 'serializable'")
	db := open(t, address(server.Addr(), strict))
	tx, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Close() }()
	run := func(steps ...string) {
		t.Helper()
		for _, s := range steps {
			if _, err := tx.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	run("BEGIN", "SELECT count(*) FROM "+other)
	must(t, db, "INSERT INTO "+other+" VALUES (1)")
	run("UPDATE "+table+" SET meta = 'changed'", "PREPARE TRANSACTION 'met'")
	m := manager(t, Config{DB: db, Table: table})
	if _, err := m.readMany(t.Context(), []string{"k"}); !raced(err) {
		t.Fatalf("a read that meets the other: %v; want it undone, or this test shows nothing", err)
	}
	ended := make(chan error, 1)
	go func() {
		r, err := m.Read(t.Context(), "k")
		if err == nil && r.Lease != l {
			err = fmt.Errorf("it reads %+v", r)
		}
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond)
	must(t, admin, "ROLLBACK PREPARED 'met'")
	if err := <-ended; err != nil {
		t.Errorf("%v; want what was there before the other", err)
	}
}
