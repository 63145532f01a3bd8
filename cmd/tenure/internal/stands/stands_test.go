//go:build linux

package stands

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) {
	if os.Getenv(asLeader) != "" {
		fmt.Fprintln(os.Stderr, leadUntilKilled())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func TestEveryStoreIsReachedByItsAddressDirectlyAndThroughAProxy(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			k, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("something is left of it: %v", err)
				}
			}()
			addresses := []string{s.Address()}
			if s.Server != nil {
				addresses = append(addresses, s.Through(servers.TestProxy(t, s.Server.Addr())))
			}
			last := lease.Term(0)
			for _, address := range addresses {
				last = oneTenure(t, address, k, last)
			}
		})
	}
}

// oneTenure takes the lease, sees it from another client, and gives it back.
func oneTenure(t *testing.T, address string, k Kind, last lease.Term) lease.Term {
	t.Helper()
	m, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h := lease.Holder{Name: "a", Incarnation: lease.NewIncarnation()}
	l, err := m.Acquire(t.Context(), "billing", h, k.TTL)
	if err != nil || l.Term <= last {
		t.Fatalf("%+v, %v; the last term was %d", l, err, last)
	}
	if r, err := m.Read(t.Context(), "billing"); err != nil || r.Lease != l {
		t.Errorf("%+v, %v; want %+v", r, err, l)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Error(err)
	}
	if _, ok := m.Manager.(lease.Watcher); ok != k.Notifies {
		t.Errorf("that it notifies is %t, and its manager says %t", k.Notifies, ok)
	}
	if l, ok := m.Manager.(lease.Limiter); ok {
		if err := l.Limits().Check(k.TTL); err != nil {
			t.Error(err)
		}
	}
	return l.Term
}

func TestAnUnknownStoreIsNamed(t *testing.T) {
	if _, err := Find("consul"); err == nil || !strings.Contains(err.Error(), "there are") {
		t.Error(err)
	}
	for _, name := range Names() {
		if k, err := Find(name); err != nil || k.TTL < time.Second || k.Address == nil {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
}
