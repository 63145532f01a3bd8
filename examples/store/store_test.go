package store_test

import (
	"testing"

	"github.com/benbjohnson/clock"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/examples/store"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestItIsAManager(t *testing.T) {
	clk := clock.NewMock()
	leasetest.Run(t, leasetest.Config{
		New:   func(leasetest.TB) lease.Manager { return store.New(clk) },
		Clock: clk,
	})
}
