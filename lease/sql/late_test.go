//go:build linux

package sql

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// A statement that waits at the server, for a table that is being backed up, say, keeps the time at which it began. The
// one that its sender makes when it has given up waiting may overtake it.
func TestAStatementThatWasOvertakenTakesNothingFromALease(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	m := open(t, Config{DB: dial(t, s.Addr(), root), Dialect: MySQL})
	old := root
	old.params = map[string]string{"timestamp": fmt.Sprint(time.Now().Add(-2 * ttl).Unix())}
	overtaken := open(t, Config{DB: dial(t, s.Addr(), old), Dialect: MySQL})
	held := func(after string) {
		t.Helper()
		if _, err := m.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
			t.Errorf("after %s, Acquire = %v; want ErrHeld", after, err)
		}
	}
	l := acquire(t, m, alice, ttl)
	if err := overtaken.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	held("a renewal of before the acquisition")
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	if err := overtaken.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	held("a renewal of before the last")
	next := acquire(t, overtaken, alice, ttl)
	held("an acquisition of before the last")
	if next.Term <= l.Term {
		t.Errorf("term %d follows %d", next.Term, l.Term)
	}
	lost(t, m.Renew(t.Context(), l, ttl), alice)
	// One that comes in its turn counts as it says.
	if err := m.Renew(t.Context(), next, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	acquire(t, m, bob, ttl)
}
