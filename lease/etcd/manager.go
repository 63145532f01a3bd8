package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/lease"
)

// tries is how often a call starts over because the key changed hands while it looked.
const tries = 8

var errBusy = errors.New("the key changes hands all the time; try again")

// Acquire is as in [lease.Manager]. The term is the revision of etcd in which the holder was written.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	l, err := m.acquire(ctx, key, h, ttl)
	if err != nil {
		return lease.Lease{}, m.fail(ctx, "acquire", key, err)
	}
	return l, nil
}

func (m *Manager) acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := m.Limits().Check(ttl); err != nil {
		return lease.Lease{}, lease.Permanent(err)
	}
	m.sweep(ctx)
	before := m.newest.Load()
	s, err := m.look(ctx, key)
	switch {
	case err != nil:
		return lease.Lease{}, err
	case s.revision < before:
		return lease.Lease{}, errBack(before, s.revision)
	case !s.Holder.IsZero() && !s.Holder.Is(h):
		return lease.Lease{}, m.held(ctx, s)
	}
	id, err := m.grant(ctx, ttl)
	if err != nil {
		return lease.Lease{}, err
	}
	taken, err := m.take(ctx, s, sight{
		Lease: lease.Lease{Key: key, Holder: h}, ttl: ttl, id: id, name: fmt.Sprintf("%s%016x", m.dir(key), int64(id)),
	})
	if err != nil {
		m.disown(ctx, id, ttl)
		return lease.Lease{}, err
	}
	m.remember(taken)
	return taken.Lease, nil
}

// take writes the holder of want if the key is as it was seen: vacant, or held by the same holder, who then stands
// under a new name, because the revision of an old one stays. It is one transaction.
func (m *Manager) take(ctx context.Context, seen, want sight) (sight, error) {
	for range tries {
		put := clientv3.OpPut(want.name, encode(want.Key, want.Holder, want.ttl), clientv3.WithLease(want.id))
		cond, ops := m.ifVacant(want.Key), []clientv3.Op{put}
		if !seen.Holder.IsZero() {
			cond, ops = m.IfHeld(seen.Lease), []clientv3.Op{clientv3.OpDelete(seen.name), put}
		}
		resp, err := m.transact(ctx, []clientv3.Cmp{cond}, ops, []clientv3.Op{m.get(want.Key)})
		if err != nil {
			return m.settle(ctx, want, err)
		}
		m.show(resp.Header.Revision)
		if resp.Succeeded {
			want.Term, want.modified = lease.Term(resp.Header.Revision), resp.Header.Revision
			if !seen.Holder.IsZero() {
				m.disown(ctx, seen.id, seen.ttl)
			}
			return want, nil
		}
		before := seen
		seen, err = m.sight(want.Key, resp.Responses[0].GetResponseRange().Kvs, resp.Header.Revision)
		switch {
		case err != nil:
			return sight{}, err
		case seen.name == want.name: // it was asked for twice, and this is the second answer
			if !before.Holder.IsZero() {
				m.disown(ctx, before.id, before.ttl)
			}
			return seen, nil
		case !seen.Holder.IsZero() && !seen.Holder.Is(want.Holder):
			return sight{}, m.held(ctx, seen)
		}
	}
	return sight{}, errBusy
}

// settle finds out whether a transaction without an answer was carried out: then our own name is there. If it is not,
// the transaction may still be under way; our caller revokes the etcd lease, without which it fails.
func (m *Manager) settle(ctx context.Context, want sight, cause error) (sight, error) {
	if ctx.Err() != nil {
		return sight{}, cause
	}
	if s, err := m.look(ctx, want.Key); err == nil && s.name == want.name {
		return s, nil
	}
	return sight{}, cause
}

// Renew is as in [lease.Manager]. It writes nothing, unless ttl is another than before or etcd has just elected a
// leader.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := m.renew(ctx, l, ttl); err != nil {
		return m.fail(ctx, "renew", l.Key, err)
	}
	return nil
}

func (m *Manager) renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := m.Limits().Check(ttl); err != nil {
		return lease.Permanent(err)
	}
	s, known := m.recall(l)
	for range tries {
		if !known || s.doubt {
			doubt := s.doubt
			var err error
			if s, err = m.find(ctx, l); err != nil {
				return err
			}
			s.doubt = doubt
		}
		if s.doubt || s.ttl != ttl {
			return m.move(ctx, s, ttl)
		}
		kept, err := m.keepAlive(ctx, s.id, ttl)
		if err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
			return err
		}
		// The key is bound to the etcd lease, but only as long as it is there: that it still is, is what makes this a
		// renewal of l. If the etcd lease is not there, this finds whether l is lost or has moved to another.
		now, looked := m.find(ctx, l)
		switch {
		case looked != nil:
			return looked
		case err == nil && now.id == s.id && now.ttl == ttl && counts(kept, now.raft):
			return nil
		case err == nil && now.id == s.id:
			return m.move(ctx, now, ttl) // which passes through Raft
		}
		s, known = now, true
	}
	return errBusy
}

// move renews a lease for another length: it is attached to a new etcd lease, in one transaction. The name keeps its
// revision of creation, which is the term. If the answer is lost, the transaction may be carried out much later, when
// the new etcd lease is about to end; so the next renewal moves again, which changes the revision that this one relies
// on.
func (m *Manager) move(ctx context.Context, s sight, ttl time.Duration) error {
	id, err := m.grant(ctx, ttl)
	if err != nil {
		return err
	}
	put := clientv3.OpPut(s.name, encode(s.Key, s.Holder, ttl), clientv3.WithLease(id))
	unchanged := clientv3.Compare(clientv3.ModRevision(s.name), "=", s.modified)
	resp, err := m.transact(ctx, []clientv3.Cmp{m.IfHeld(s.Lease), unchanged}, []clientv3.Op{put},
		[]clientv3.Op{m.get(s.Key)})
	if err != nil {
		s.doubt = true
		m.remember(s)
		return err
	}
	m.show(resp.Header.Revision)
	if resp.Succeeded {
		m.disown(ctx, s.id, s.ttl)
		s.id, s.ttl, s.modified, s.doubt = id, ttl, resp.Header.Revision, false
		m.remember(s)
		return nil
	}
	now, err := m.sight(s.Key, resp.Responses[0].GetResponseRange().Kvs, resp.Header.Revision)
	if err == nil {
		now, err = m.same(s.Lease, now)
	}
	if err == nil && now.id == id { // it was asked for twice, and this is the second answer
		m.disown(ctx, s.id, s.ttl)
		m.remember(now)
		return nil
	}
	m.disown(ctx, id, ttl)
	if err != nil {
		return err
	}
	now.doubt = s.doubt
	m.remember(now)
	return errBusy
}

// Release is as in [lease.Manager].
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := m.release(ctx, l); err != nil {
		return m.fail(ctx, "release", l.Key, err)
	}
	return nil
}

func (m *Manager) release(ctx context.Context, l lease.Lease) error {
	s, known := m.recall(l)
	if !known {
		var err error
		if s, err = m.find(ctx, l); err != nil {
			return err
		}
	}
	resp, err := m.transact(ctx, []clientv3.Cmp{m.IfHeld(l)}, []clientv3.Op{clientv3.OpDelete(s.name)},
		[]clientv3.Op{m.get(l.Key)})
	if err != nil {
		return err
	}
	m.show(resp.Header.Revision)
	m.forget(l)
	if resp.Succeeded {
		m.disown(ctx, s.id, s.ttl)
		return nil
	}
	now, err := m.sight(l.Key, resp.Responses[0].GetResponseRange().Kvs, resp.Header.Revision)
	if err != nil {
		return err
	}
	m.disown(ctx, s.id, s.ttl) // if it was asked for twice, the first time may have left it
	return &lease.LostError{Lease: l, Record: now.record(-1)}
}

// Read is as in [lease.Reader]. The term of a key that nobody holds is zero: etcd does not keep it.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	s, err := m.look(ctx, key)
	if err != nil {
		return lease.Record{}, m.fail(ctx, "read", key, err)
	}
	return s.record(m.remaining(ctx, s)), nil
}

// look returns what etcd has of key. The answer is of no earlier moment than the question.
func (m *Manager) look(ctx context.Context, key string) (sight, error) {
	resp, err := ask(ctx, m.client, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return m.client.Get(ctx, m.dir(key), clientv3.WithPrefix(), clientv3.WithLimit(2))
	})
	if err != nil {
		return sight{}, err
	}
	m.show(resp.Header.Revision)
	s, err := m.sight(key, resp.Kvs, resp.Header.Revision)
	s.raft = resp.Header.RaftTerm
	return s, err
}

// get is look as a part of a transaction.
func (m *Manager) get(key string) clientv3.Op {
	return clientv3.OpGet(m.dir(key), clientv3.WithPrefix(), clientv3.WithLimit(2))
}

// find is look for what must be l; it is a [lease.LostError] if it is not.
func (m *Manager) find(ctx context.Context, l lease.Lease) (sight, error) {
	s, err := m.look(ctx, l.Key)
	if err != nil {
		return sight{}, err
	}
	return m.same(l, s)
}

func (m *Manager) same(l lease.Lease, s sight) (sight, error) {
	if s.Term != l.Term || !s.Holder.Is(l.Holder) {
		m.forget(l)
		return sight{}, &lease.LostError{Lease: l, Record: s.record(-1)}
	}
	return s, nil
}

func (m *Manager) held(ctx context.Context, s sight) error {
	return &lease.HeldError{Record: s.record(m.remaining(ctx, s))}
}

// remaining returns for how much longer the lease lasts, rounded up, negative if etcd does not say.
func (m *Manager) remaining(ctx context.Context, s sight) time.Duration {
	if s.Holder.IsZero() {
		return 0
	}
	resp, err := m.life(ctx, s.id)
	if err != nil || resp.TTL < 0 || resp.GrantedTTL > int64(maxTTL/time.Second) {
		return -1
	}
	return time.Duration(min(resp.TTL+1, resp.GrantedTTL)) * time.Second
}
