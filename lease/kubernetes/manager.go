package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// Manager grants leases that are Lease objects of one namespace. It is safe for concurrent use, starts nothing by
// itself and needs no closing; a watch has a goroutine and a connection until it is stopped.
type Manager struct {
	c      Config
	epoch  time.Time
	id     string // distinguishes the writes of this Manager from those of all others
	writes atomic.Uint64
	seen   views
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// Acquire takes the lease on key for h; see [lease.Manager]. It costs one Get and one Update, and a Create before the
// first of all.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	b, err := m.do(ctx, key, register.Call{Op: register.Acquire, Holder: h, TTL: ttl})
	if err != nil {
		return lease.Lease{}, err
	}
	return lease.Lease{Key: key, Holder: h, Term: b.Term}, nil
}

// Renew makes l last ttl from now on; see [lease.Manager]. It costs one Update.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	// A name that is none holds nothing and is refused like any other; the metadata would be written.
	meta := lease.Holder{Name: "-", Incarnation: "-", Meta: l.Holder.Meta}
	if err := errors.Join(lease.CheckKey(l.Key), meta.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	_, err := m.do(ctx, l.Key, register.Call{Op: register.Renew, Holder: l.Holder, Term: l.Term, TTL: ttl})
	return err
}

// Release gives l up: it writes an empty holder, as client-go's electors do, and leaves the term behind; see
// [lease.Manager]. It costs one Update. Releasing again returns nil until the lease is granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	_, err := m.do(ctx, l.Key, register.Call{Op: register.Release, Holder: l.Holder, Term: l.Term})
	return err
}

// Read returns what is known of key; see [lease.Reader]. A holder of another kind, such as an elector of client-go,
// is a Holder with its identity for a name and no incarnation. The first look at a held lease shows more time
// remaining than there is, up to its whole length.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	if err := ended(ctx); err != nil {
		return lease.Record{}, fail("read", key, err)
	}
	v, err := m.look(ctx, key)
	if err != nil {
		return lease.Record{}, fail("read", key, err)
	}
	return m.record(v, key), nil
}

// do carries a call out: look, decide, write, until it is settled.
func (m *Manager) do(ctx context.Context, key string, c register.Call) (register.Body, error) {
	c.Drift = m.c.Drift
	c.Nonce = m.id + "-" + strconv.FormatUint(m.writes.Add(1), 36)
	op := c.Op.String()
	var unsettled error
	v, known := m.seen.get(key)
	known = known && c.Op != register.Acquire && c.Holds(v.body) // our own last write: no need to look
	for {
		if err := ended(ctx); err != nil {
			return register.Body{}, fail(op, key, first{unsettled, err})
		}
		if !known {
			var err error
			if v, err = m.prepare(ctx, key, &c); err != nil {
				return register.Body{}, fail(op, key, first{unsettled, err})
			}
		}
		known = false
		var move register.Move
		switch c, move = c.Next(v.sight(), register.Now{Local: m.now()}); move.Step {
		case register.Done:
			return move.Body, nil
		case register.Refused:
			return register.Body{}, m.refuse(c, key, v)
		case register.GiveUp:
			return register.Body{}, fail(op, key, fmt.Errorf("%d writes led nowhere: %w", c.Writes, unsettled))
		case register.Spent:
			return register.Body{}, fail(op, key, lease.Permanent(fmt.Errorf("no term is left after %d", register.MaxTerm)))
		}
		data, err := m.c.Client.Update(ctx, v.object.name, v.object.write(key, move.Body, m.c.Clock.Now()).encode())
		if err == nil {
			if v, err = m.see(key, data); err == nil && v.body.Nonce == c.Nonce {
				return move.Body, nil
			}
			err = errors.Join(errors.New("the answer to an update is not what was written"), err)
		}
		if err = explain(err); hopeless(err) {
			return register.Body{}, fail(op, key, err)
		}
		unsettled = err
	}
}

// prepare looks, and makes the Lease first if somebody wants to acquire one that does not exist. It sees to it that
// the next term is greater than all before it.
func (m *Manager) prepare(ctx context.Context, key string, c *register.Call) (view, error) {
	v, err := m.look(ctx, key)
	if err != nil || c.Op != register.Acquire {
		return v, err
	}
	if v.object.version == "" {
		o := newObject(LeaseName(key), m.c.Clock.Now())
		data, err := m.c.Client.Create(ctx, o.name, o.encode())
		switch {
		case err == nil:
			v, err = m.see(key, data)
		case code(err) == statusConflict: // somebody was faster
			v, err = m.look(ctx, key)
		}
		if err == nil && v.object.version == "" {
			err = errors.New("it is deleted as soon as it is made; find out by whom")
		}
		if err != nil {
			return v, explain(err)
		}
	}
	floor, ok := v.floor()
	if !ok {
		return v, lease.Permanent(fmt.Errorf("resourceVersion %.40q is no number that terms can be counted by; "+
			"use a server that numbers its changes", v.object.version))
	}
	c.Floor = max(c.Floor, floor, m.seen.highest(key))
	return v, nil
}

// look asks the server for the Lease of key.
func (m *Manager) look(ctx context.Context, key string) (view, error) {
	data, err := m.c.Client.Get(ctx, LeaseName(key))
	if absent(err) {
		m.seen.gone(key)
		return view{}, nil
	}
	if err != nil {
		return view{}, explain(err)
	}
	return m.see(key, data)
}

// see takes in what the server has just shown of the Lease of key.
func (m *Manager) see(key string, data []byte) (view, error) {
	now := m.now()
	o, err := decodeObject(data)
	switch {
	case err != nil:
		err = fmt.Errorf("%w; write a Lease in its place or delete it", err)
	case o.name != LeaseName(key):
		err = fmt.Errorf("the server answers with the Lease %.80q; is this the API server?", o.name)
	case o.strategy != "":
		err = fmt.Errorf("the Lease %s has the strategy %.40q: its holder is chosen by coordinated leader election; "+
			"use a Lease of another name", o.name, o.strategy)
	default:
		return m.seen.see(key, o, m.c.Guard, now), nil
	}
	return view{}, lease.Permanent(err)
}

func (m *Manager) now() time.Duration { return m.c.Clock.Now().Sub(m.epoch) }

func (m *Manager) record(v view, key string) lease.Record {
	return v.sight().Record(key, register.Now{Local: m.now()}, m.c.Drift)
}

func (m *Manager) refuse(c register.Call, key string, v view) error {
	record := m.record(v, key)
	if c.Op == register.Acquire {
		return &lease.HeldError{Record: record}
	}
	return &lease.LostError{Lease: lease.Lease{Key: key, Holder: c.Holder, Term: c.Term}, Record: record}
}
