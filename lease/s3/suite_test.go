//go:build linux

package s3

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestABucketIsAManager(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.spec.Name, func(t *testing.T) {
			s := start(t, k)
			open := func(t leasetest.TB) *Manager { return opened(t, s.Addr()) }
			again := func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) }
			leasetest.Run(t, leasetest.Config{
				New:    func(t leasetest.TB) lease.Manager { return open(t) },
				Peer:   again,
				Reopen: again, // what a restart of the server does is a test of its own: the other laws go on meanwhile
				Erase: func(t leasetest.TB, m lease.Manager, key string) {
					erase(t, m.(*Manager), key)
					time.Sleep(1100 * time.Millisecond) // a person is no faster, and terms are promised to rise only then
				},
				TTL:  time.Second,
				Late: 3 * time.Second,
			})
		})
	}
}
