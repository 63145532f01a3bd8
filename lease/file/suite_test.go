package file

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// The suite runs on processes that share the boot clock, and on such as do not and can only watch each other.
func TestADirectoryIsAManager(t *testing.T) {
	for name, local := range map[string]bool{"on one host": true, "on several hosts": false} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			open := func(t leasetest.TB) lease.Manager {
				t.Helper()
				d := newDir(Config{Dir: path}, path)
				domain := ""
				if local {
					domain = bootclock.Domain(path)
				}
				m, err := newManager(Config{Dir: path}, d, domain)
				if err != nil {
					t.Fatalf("%v", err)
				}
				return m
			}
			leasetest.Run(t, leasetest.Config{
				New:    open,
				Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
				Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
				TTL:    300 * time.Millisecond,
				Late:   2 * time.Second,
			})
		})
	}
}
