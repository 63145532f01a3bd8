package kubernetes_test

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/kubernetes"
	"github.com/go-tenure/tenure/lease/kubernetes/internal/model"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// The contract in virtual time; against a real API server it is tested in real time.
func TestALeaseObjectIsALease(t *testing.T) {
	s, clk := &model.Server{}, clock.NewMock()
	open := func(t leasetest.TB) lease.Manager {
		t.Helper()
		m, err := kubernetes.New(kubernetes.Config{Client: s, Clock: clk})
		if err != nil {
			t.Fatalf("%v", err)
		}
		return m
	}
	leasetest.Run(t, leasetest.Config{
		New:    open,
		Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		Erase:  func(_ leasetest.TB, _ lease.Manager, key string) { s.Delete(kubernetes.LeaseName(key)) },
		TTL:    10 * time.Second,
		Clock:  clk,
	})
}
