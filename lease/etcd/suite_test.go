package etcd

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestEtcdIsAManager(t *testing.T) {
	again := func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t, shared.Addr()) }
	leasetest.Run(t, leasetest.Config{
		New:    func(t leasetest.TB) lease.Manager { return open(t, shared.Addr()) },
		Peer:   again,
		Reopen: again,            // as a new process would; a restart of etcd has a test of its own
		Late:   10 * time.Second, // etcd looks for leases that have ended twice a second
		Erase: func(t leasetest.TB, m lease.Manager, key string) {
			if err := deleteDir(t.Context(), m.(*Manager), key); err != nil {
				t.Fatalf("%v", err)
			}
		},
	})
}
