//go:build linux

package azureblob

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	azlease "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestAContainerIsAManager(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	for mode, c := range map[Mode]leasetest.Config{
		Native: {TTL: 15 * time.Second, Late: 10 * time.Second},
		Swap:   {TTL: time.Second, Late: 10 * time.Second},
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			fresh := func(t leasetest.TB) lease.Manager {
				return open(t, Config{Container: client(t, s.Addr(), "leases-"+mode.String()), Mode: mode})
			}
			again := func(t leasetest.TB, _ lease.Manager) lease.Manager { return fresh(t) }
			c.New, c.Peer, c.Reopen = fresh, again, again
			c.Erase = func(t leasetest.TB, _ lease.Manager, key string) {
				b := open(t, Config{Container: client(t, s.Addr(), "leases-"+mode.String())}).e.(*native).blob(key)
				erase(t, b)
			}
			leasetest.Run(t, c)
		})
	}
}

// erase deletes a blob as an administrator does: a lease is broken first.
func erase(t leasetest.TB, b *blob.Client) {
	t.Helper()
	l, err := azlease.NewBlobClient(b, nil)
	if err == nil {
		_, _ = l.BreakLease(t.Context(), &azlease.BlobBreakOptions{BreakPeriod: to.Ptr(int32(0))}) // if it has one
		_, err = b.Delete(t.Context(), nil)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}
