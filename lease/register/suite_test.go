package register

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestARegisterIsAManager(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	open := func(t leasetest.TB) lease.Manager {
		t.Helper()
		m, err := New(Config{Register: s, Clock: clk})
		if err != nil {
			t.Fatalf("%v", err)
		}
		return m
	}
	leasetest.Run(t, leasetest.Config{
		New:    open,
		Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		TTL:    10 * time.Second,
		Clock:  clk,
	})
}
