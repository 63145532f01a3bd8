package store_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestATableOfMySQLIsMadeIfTheAddressAsksForIt(t *testing.T) {
	s := servers.Test(t, servers.MariaDB())
	db, err := sql.Open("mysql", "root@tcp("+s.Addr()+")/")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "CREATE DATABASE tenure")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	at := "mysql://root@" + s.Addr() + "/tenure"
	for _, c := range []struct {
		address string
		missing bool
	}{{at, true}, {at + "?create=off", true}, {at + "?create=on", false}, {at + "?create=on", false}, {at, false}} {
		m, err := store.Open(c.address)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Read(t.Context(), "k")
		if errors.Is(err, lease.ErrPermanent) != c.missing || err == nil && !r.Vacant() {
			t.Errorf("%s: %v, %v", c.address, r, err)
		}
		if !c.missing {
			l, err := m.Acquire(t.Context(), "k", lease.Holder{Name: "n", Incarnation: "x"}, time.Minute)
			if err != nil || m.Release(t.Context(), l) != nil {
				t.Errorf("%s: %v", c.address, err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
