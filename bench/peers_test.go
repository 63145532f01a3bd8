package bench

import (
	"context"
	"testing"
	"time"
)

// The timing of every peer, client-go's defaults.
const (
	ttl           = 15 * time.Second
	renewDeadline = 10 * time.Second // client-go only: when a leader gives up renewing
	renewEvery    = 2 * time.Second
)

// A peer is a library under measurement.
type peer struct {
	name string
	// open makes an empty store in memory.
	open func(testing.TB) arena
}

// peers are measured one after the other by every benchmark.
var peers = []peer{
	{"client-go", openClientGo},
	{"tenure", openOwn},
}

// An arena is a store in memory and what stands for its leases.
type arena interface {
	// join makes a process called name stand for one key. Whenever it leads it calls lead, whose context ends with
	// leadership.
	join(name string, lead func(context.Context)) member
	// lead makes one process stand for n keys of its own, which nobody else wants. It returns when the process leads
	// them all. With work, each leader has work that lasts; without, leading takes nothing. stop ends it and returns
	// when it is gone.
	lead(n int, work bool) (stop func())
	// follow makes one process stand for n keys that somebody else holds for an hour. It returns when the process
	// has been refused n times.
	follow(n int) (stop func())
	// writes is how many leases have been granted or renewed so far.
	writes() int64
	// leaseEnd is when the lease on the key of join ends unless it is renewed.
	leaseEnd() time.Time
}

// A member is one process that stands for the key of join.
type member interface {
	// leave ends the member in good order and returns when it is gone. A leader gives its lease up.
	leave()
	// cut takes the store away from the member, or gives it back. Without it every call fails at once.
	cut(bool)
}

// each runs f as a sub-benchmark for each peer.
func each(b *testing.B, f func(*testing.B, peer)) {
	for _, p := range peers {
		b.Run("peer="+p.name, func(b *testing.B) { f(b, p) })
	}
}
