//go:build linux

package redis

import (
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// durable makes the server write each change to disk before it answers.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

func TestRedisIsAManager(t *testing.T) { suite(t, servers.Redis(durable...)) }

func TestValkeyIsAManager(t *testing.T) { suite(t, servers.Valkey(durable...)) }

// suite gives each law a server of its own, so that one may restart it while the others go on.
func suite(t *testing.T, spec servers.Spec) {
	t.Helper()
	var all sync.Map // of *servers.Server by address
	addr := func(m lease.Manager) string { return m.(*Manager).c.Client.(*goredis.Client).Options().Addr }
	again := func(t leasetest.TB, m lease.Manager) lease.Manager { return opened(t, addr(m)) }
	leasetest.Run(t, leasetest.Config{
		New: func(t leasetest.TB) lease.Manager {
			s := servers.Test(t, spec)
			all.Store(s.Addr(), s)
			return opened(t, s.Addr())
		},
		Peer: again,
		Reopen: func(t leasetest.TB, m lease.Manager) lease.Manager {
			s, _ := all.Load(addr(m))
			if err := s.(*servers.Server).Restart(t.Context()); err != nil {
				t.Fatalf("%v", err)
			}
			return again(t, m)
		},
		Erase: func(t leasetest.TB, m lease.Manager, key string) {
			do(t, addr(m), "DEL", m.(*Manager).Record(key))
		},
		TTL:  400 * time.Millisecond,
		Late: 2 * time.Second,
	})
}
