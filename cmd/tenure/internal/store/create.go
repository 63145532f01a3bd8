package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/nats"
	"github.com/go-tenure/tenure/lease/postgres"
	leasesql "github.com/go-tenure/tenure/lease/sql"
)

// creation makes what a store needs, a table or a bucket, before the first call that needs it. Not when the store is
// opened: a server that is down is the business of the node, which stands by.
type creation struct {
	create func(context.Context) error // may be called at once, and again
	done   atomic.Bool
}

func (c *creation) first(ctx context.Context) error {
	if c.done.Load() {
		return nil
	}
	err := c.create(ctx)
	c.done.Store(err == nil)
	return err
}

// The managers that create are embedded one by one, so that each goes on being the Watcher and the Limiter it is.
type (
	creatingPostgres struct {
		*postgres.Manager
		creation
	}
	creatingSQL struct {
		*leasesql.Manager
		creation
	}
	creatingNATS struct {
		*nats.Manager
		creation
	}
)

func (m *creatingPostgres) Acquire(
	ctx context.Context, key string, h lease.Holder, ttl time.Duration,
) (lease.Lease, error) {
	if err := m.first(ctx); err != nil {
		return lease.Lease{}, err
	}
	return m.Manager.Acquire(ctx, key, h, ttl)
}

func (m *creatingPostgres) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := m.first(ctx); err != nil {
		return lease.Record{}, err
	}
	return m.Manager.Read(ctx, key)
}

func (m *creatingSQL) Acquire(
	ctx context.Context, key string, h lease.Holder, ttl time.Duration,
) (lease.Lease, error) {
	if err := m.first(ctx); err != nil {
		return lease.Lease{}, err
	}
	return m.Manager.Acquire(ctx, key, h, ttl)
}

func (m *creatingSQL) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := m.first(ctx); err != nil {
		return lease.Record{}, err
	}
	return m.Manager.Read(ctx, key)
}

func (m *creatingNATS) Acquire(
	ctx context.Context, key string, h lease.Holder, ttl time.Duration,
) (lease.Lease, error) {
	if err := m.first(ctx); err != nil {
		return lease.Lease{}, err
	}
	return m.Manager.Acquire(ctx, key, h, ttl)
}

func (m *creatingNATS) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := m.first(ctx); err != nil {
		return lease.Record{}, err
	}
	return m.Manager.Read(ctx, key)
}
