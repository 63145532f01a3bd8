package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// tries is how often a call starts over because the key changed while it looked.
const tries = 8

// Acquire is as in [lease.Manager].
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	was := m.js.Conn().LastError()
	l, err := m.acquire(ctx, key, h, ttl)
	if err != nil {
		return lease.Lease{}, m.fail(ctx, "acquire", key, err, was)
	}
	return l, nil
}

func (m *Manager) acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := m.Limits().Check(ttl); err != nil {
		return lease.Lease{}, lease.Permanent(err)
	}
	before := m.newest.Load()
	nonce, floor := rand.Text(), uint64(0) // the term must be greater than floor
	for range tries {
		s, err := m.look(ctx, key)
		switch {
		case err != nil:
			return lease.Lease{}, err
		case s.nonce == nonce && uint64(s.Term) > floor: // what we believed to have failed has been carried out
			m.remember(s)
			return s.Lease, nil
		case !s.Holder.IsZero() && !s.Holder.Is(h) && s.endless:
			return lease.Lease{}, m.errEndless(s)
		case !s.Holder.IsZero() && !s.Holder.Is(h):
			return lease.Lease{}, &lease.HeldError{Record: s.record(-1)}
		}
		now, err := m.inspect(ctx, ttl)
		switch {
		case err != nil:
			return lease.Lease{}, err
		case now.position < before:
			return lease.Lease{}, errBack(m.bucket, before, now.position)
		}
		m.show(now.position)
		floor = now.position
		seq, err := m.write(ctx, key, s.seq, ttl, encode(message{
			Key: key, Epoch: now.epoch, Nonce: nonce,
			Holder: h.Name, Incarnation: h.Incarnation, Meta: h.Meta, TTL: ttl.String(),
		}), false)
		switch {
		case errors.Is(err, errConflict):
			continue
		case err != nil:
			return m.settle(ctx, key, nonce, floor, err)
		case now.epoch+seq <= floor: // the bucket was made anew meanwhile: write again, with its age
			continue
		}
		m.show(now.epoch + seq)
		got := sight{
			Lease: lease.Lease{Key: key, Holder: h, Term: lease.Term(now.epoch + seq)},
			ttl:   ttl, nonce: nonce, seq: seq,
		}
		m.remember(got)
		return got.Lease, nil
	}
	return lease.Lease{}, errConflict
}

// settle finds out whether a message without an answer was written: then it is there, with our nonce. If it is not, it
// may still be under way; it is refused as soon as anything else is written for the key, and otherwise belongs to a
// holder that stands for it.
func (m *Manager) settle(ctx context.Context, key, nonce string, floor uint64, cause error) (lease.Lease, error) {
	if ctx.Err() != nil {
		return lease.Lease{}, cause
	}
	if s, err := m.look(ctx, key); err == nil && s.nonce == nonce && uint64(s.Term) > floor {
		m.remember(s)
		return s.Lease, nil
	}
	return lease.Lease{}, cause
}

// Renew is as in [lease.Manager]. It writes the lease again, which is the only way to have the server count anew.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	was := m.js.Conn().LastError()
	err := m.Limits().Check(ttl)
	if err != nil {
		err = lease.Permanent(err)
	} else {
		err = m.change(ctx, l, func(s sight) ([]byte, time.Duration, bool) {
			return encode(message{
				Key: l.Key, Term: uint64(l.Term), Nonce: s.nonce,
				Holder: s.Holder.Name, Incarnation: s.Holder.Incarnation, Meta: s.Holder.Meta, TTL: ttl.String(),
			}), ttl, false
		})
	}
	if err != nil {
		return m.fail(ctx, "renew", l.Key, err, was)
	}
	return nil
}

// Release is as in [lease.Manager]. It leaves a message that ends the key and tells the term, for a day; the next term
// is counted from the sequence of the bucket, which stays.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	was := m.js.Conn().LastError()
	err := m.change(ctx, l, func(sight) ([]byte, time.Duration, bool) {
		return encode(message{Key: l.Key, Term: uint64(l.Term)}), markerTTL, true
	})
	if err != nil {
		return m.fail(ctx, "release", l.Key, err, was)
	}
	m.forget(l)
	return nil
}

// change writes the next message for l if l is what the bucket has.
func (m *Manager) change(ctx context.Context, l lease.Lease, next func(sight) ([]byte, time.Duration, bool)) error {
	s, known := m.recall(l)
	for range tries {
		if !known {
			var err error
			if s, err = m.look(ctx, l.Key); err != nil {
				return err
			}
			if s.Term != l.Term || !s.Holder.Is(l.Holder) {
				m.forget(l)
				return &lease.LostError{Lease: l, Record: s.record(-1)}
			}
		}
		text, ttl, end := next(s)
		seq, err := m.write(ctx, l.Key, s.seq, ttl, text, end)
		switch {
		case err == nil:
			s.seq = seq
			m.remember(s)
			return nil
		case !errors.Is(err, errConflict):
			return err
		}
		known = false
	}
	return errConflict
}

// Read is as in [lease.Reader]. The term of a key that nobody holds is the last one for a day after it was released,
// and otherwise zero: the bucket does not keep it.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	was := m.js.Conn().LastError()
	s, err := m.look(ctx, key)
	if err != nil {
		return lease.Record{}, m.fail(ctx, "read", key, err, was)
	}
	remaining := time.Duration(-1)
	if now, err := m.inspect(ctx, 0); err == nil && !s.Holder.IsZero() {
		remaining = min(max(s.ttl-now.now.Sub(s.at), time.Millisecond), s.ttl) // it is there, so it has not ended
	}
	return s.record(remaining), nil
}
