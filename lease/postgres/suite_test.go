package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func isPermanent(err error) bool { return errors.Is(err, lease.ErrPermanent) }

// The suite runs on connections of its own to the server with LISTEN; without, behind a pooler of transactions, where
// each statement may run in another session; and at the strictest isolation, where statements that meet are undone.
func TestATableIsAManager(t *testing.T) {
	t.Parallel()
	pooler := servers.Test(t, servers.PgBouncer(server.Addr()))
	strict := unique("strict")
	must(t, super(t), "CREATE ROLE "+strict+" LOGIN SUPERUSER",
		"ALTER ROLE "+strict+" SET default_transaction_isolation = 'serializable'")
	for name, c := range map[string]struct {
		url     string
		listens bool
	}{
		"connected to the server":   {address(server.Addr(), "postgres"), true},
		"behind a pooler":           {address(pooler.Addr(), "postgres", "default_query_exec_mode=exec"), false},
		"at serializable isolation": {address(server.Addr(), strict), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := super(t)
			table := fresh(t, admin)
			again := func(t leasetest.TB) lease.Manager {
				t.Helper()
				config := Config{DB: open(t, c.url), Table: table, Poll: 100 * time.Millisecond}
				if c.listens {
					config.Poll, config.Listen = time.Minute, listenAt(c.url)
				}
				return manager(t, config)
			}
			one, two := again(t), again(t)
			leasetest.Run(t, leasetest.Config{
				New:    func(leasetest.TB) lease.Manager { return one },
				Peer:   func(leasetest.TB, lease.Manager) lease.Manager { return two },
				Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return again(t) },
				Erase: func(t leasetest.TB, _ lease.Manager, key string) {
					if _, err := admin.ExecContext(t.Context(), "DELETE FROM "+table+" WHERE key = $1", key); err != nil {
						t.Fatalf("%v", err)
					}
				},
				TTL:  300 * time.Millisecond,
				Late: time.Second,
			})
		})
	}
}
