// Package store is a lease.Manager of one's own, as small as it gets: a map under a mutex. It shows what a store
// has to do, and how the conformance suite proves that it does it.
//
//	go test -v ./store
//
// Look at four things:
//
//   - every decision and the change that follows from it happen in one atomic step, here under the mutex; in a
//     database it is one conditional statement;
//   - Release leaves the record behind, so that the next term is counted from it;
//   - Renew and Release compare name, incarnation and term, and nothing else will do;
//   - store_test.go, which is one call. Take out any comparison above and see what it says.
//
// It is for reading. For use in one process there is lease/memory; a store that can compare and swap one small
// record, such as an object store or a configuration service, is made a Manager by lease/register, from two
// methods.
package store

import (
	"context"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// Manager keeps leases in a map. It is safe for concurrent use.
type Manager struct {
	clock   clock.Clock
	mu      sync.Mutex
	records map[string]record
}

// record is the last lease that was granted for a key. It is vacant if its holder is zero or until has passed.
type record struct {
	lease.Lease
	until time.Time
}

var _ lease.Manager = (*Manager)(nil)

// New returns an empty Manager that goes by c.
func New(c clock.Clock) *Manager { return &Manager{clock: c, records: map[string]record{}} }

// Acquire grants the lease on key unless somebody else holds it.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return lease.Lease{}, err
	}
	r, now := m.records[key], m.clock.Now()
	if left := r.until.Sub(now); left > 0 && !r.Holder.IsZero() && !r.Holder.Is(h) {
		return lease.Lease{}, &lease.HeldError{Record: lease.Record{Lease: r.Lease, Remaining: left}}
	}
	l := lease.Lease{Key: key, Holder: h, Term: r.Term + 1}
	m.records[key] = record{l, now.Add(ttl)}
	return l, nil
}

// Renew makes l last ttl from now on.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	return m.change(ctx, l, func(r *record) { r.until = m.clock.Now().Add(ttl) })
}

// Release gives l up and keeps its term.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	return m.change(ctx, l, func(r *record) { r.Holder = lease.Holder{} })
}

// change applies do to the record of l, if it is still that of l.
func (m *Manager) change(ctx context.Context, l lease.Lease, do func(*record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	r := m.records[l.Key]
	if r.Term != l.Term || !r.Holder.Is(l.Holder) {
		return &lease.LostError{Lease: l, Record: lease.Record{Lease: r.Lease, Remaining: -1}}
	}
	do(&r)
	m.records[l.Key] = r
	return nil
}
