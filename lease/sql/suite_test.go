//go:build linux

package sql

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// The two clients have the two settings that change what the driver answers: which rows it counts, and whether
// statements are prepared.
func TestMariaDBIsAManager(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	client := func(t leasetest.TB, other bool) lease.Manager {
		a := root
		a.found, a.interpolate = other, !other
		return open(t, Config{DB: dial(t, s.Addr(), a), Dialect: MySQL, Poll: 20 * time.Millisecond})
	}
	leasetest.Run(t, leasetest.Config{
		New:    func(t leasetest.TB) lease.Manager { return client(t, false) },
		Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return client(t, true) },
		Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return client(t, true) },
		Erase: func(t leasetest.TB, _ lease.Manager, key string) {
			execute(t, dial(t, s.Addr(), root), "DELETE FROM tenure_lease WHERE lease_key = ?", key)
		},
		TTL:  600 * time.Millisecond,
		Late: 5 * time.Second,
	})
}

// The suite runs on processes that share the boot clock, and on such as do not and can only watch each other.
func TestSQLiteIsAManager(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"on one boot clock": true, "on clocks of their own": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := liteFile(t)
			client := func(t leasetest.TB) lease.Manager {
				db := lite(t, path, wal)
				db.SetMaxOpenConns(2)
				m := open(t, Config{DB: db, Dialect: SQLite})
				if !shared {
					m.e.(*local).rows.domain.Store(new(string))
				}
				return m
			}
			leasetest.Run(t, leasetest.Config{
				New:    client,
				Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return client(t) },
				Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return client(t) },
				Erase: func(t leasetest.TB, _ lease.Manager, key string) {
					execute(t, lite(t, path, wal), "DELETE FROM tenure_lease WHERE lease_key = ?", key)
				},
				TTL:  600 * time.Millisecond,
				Late: 5 * time.Second,
			})
		})
	}
}
