package nats

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestABucketIsAManager(t *testing.T) {
	again := func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t, shared.Addr()) }
	leasetest.Run(t, leasetest.Config{
		New:    func(t leasetest.TB) lease.Manager { return open(t, shared.Addr()) },
		Peer:   again,
		Reopen: again, // as a new process would; a restart of the server has a test of its own
		Erase: func(t leasetest.TB, m lease.Manager, key string) {
			store := m.(*Manager) // a purge of the stream leaves not even a marker
			s, err := store.js.Stream(t.Context(), store.stream())
			if err == nil {
				err = s.Purge(t.Context(), jetstream.WithPurgeSubject(store.subject(key)))
			}
			if err != nil {
				t.Fatalf("%v", err)
			}
		},
	})
}
