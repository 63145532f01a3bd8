package leasetest

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsTheLawsInVirtualTime(t *testing.T) {
	clk := clock.NewMock()
	Run(t, Config{
		Clock: clk,
		New:   func(TB) lease.Manager { return &memory.Manager{Clock: clk, Quiet: true} },
	})
}

func TestMemoryKeepsTheLawsInRealTime(t *testing.T) {
	m := &memory.Manager{Quiet: true}
	Run(t, Config{
		TTL: 400 * time.Millisecond,
		New: func(TB) lease.Manager { return m },
	})
}

func TestAMachineThatOversleepsIsNoViolation(t *testing.T) {
	clk := clock.NewMock()
	Run(t, Config{
		Clock: clk,
		Wait:  func(d time.Duration) { clk.Add(10 * d) },
		New:   func(TB) lease.Manager { return &memory.Manager{Clock: clk, Quiet: true} },
	})
}

func TestAManagerBehindAWrapperKeepsTheLaws(t *testing.T) {
	clk := clock.NewMock()
	Run(t, Config{
		Clock: clk,
		New:   func(TB) lease.Manager { return &Faulty{Manager: &memory.Manager{Clock: clk, Quiet: true}} },
		Peer:  func(_ TB, m lease.Manager) lease.Manager { return &Faulty{Manager: m.(*Faulty).Manager} },
	})
}
