package etcd

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

const (
	// batch is how many keys are read in one transaction; etcd takes 128.
	batch = 64
	// A read for watches takes no longer than this; polling makes up for it.
	readTimeout = 5 * time.Second
	// pause is how long to wait after a watch has ended, before the next; it grows while etcd gives no answer.
	pause, maxPause = 100 * time.Millisecond, 5 * time.Second
)

// topic is what is known of a key that is watched.
type topic struct {
	record   lease.Record
	name     string // of the holder in etcd; empty if nobody is
	revision int64  // what record is of; 0 before the first read
}

// Watch is as in [lease.Watcher]. Renewals are no changes. A record that cannot be read is passed over; Acquire reports
// it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.audience.Add(key, changed), nil
}

// serve watches the whole prefix, one watch after another: etcd ends a watch when the revision it stands at has been
// compacted, when the member it is at has lost the leader, and for want of permission.
func (m *Manager) serve(ctx context.Context, l *audience.Loop[topic]) {
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, maxPause) {
		if revision, err := m.snapshot(ctx, l, l.Keys()); err == nil {
			m.follow(ctx, l, revision)
			wait = pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// follow tells of what changes after revision, until the watch ends.
func (m *Manager) follow(ctx context.Context, l *audience.Loop[topic], revision int64) {
	// Without a leader, a member would stay silent instead of ending the watch.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	changes := m.client.Watch(ctx, m.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Wake():
			if m.welcome(ctx, l) != nil {
				return
			}
		case resp, ok := <-changes:
			if !ok || resp.Err() != nil {
				return
			}
			m.apply(l, resp.Events)
		}
	}
}

// welcome tells those who are new what is known, and reads what is not.
func (m *Manager) welcome(ctx context.Context, l *audience.Loop[topic]) error {
	var unread []string
	for _, key := range l.Joined() {
		l.With(key, func(t *topic) {
			if t.revision == 0 {
				unread = append(unread, key)
			}
		})
		tell(l, key)
	}
	_, err := m.snapshot(ctx, l, unread)
	return err
}

// snapshot reads keys and tells of them. It returns a revision since which nothing was missed.
func (m *Manager) snapshot(ctx context.Context, l *audience.Loop[topic], keys []string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	oldest := int64(0)
	for some := range slices.Chunk(keys, batch) {
		ops := make([]clientv3.Op, len(some))
		for i, key := range some {
			ops[i] = m.get(key)
		}
		resp, err := m.transact(ctx, nil, ops, nil)
		if err != nil {
			return 0, err
		}
		now := resp.Header.Revision
		oldest = cmp.Or(oldest, now)
		for i, key := range some {
			s, err := m.sight(key, resp.Responses[i].GetResponseRange().Kvs, now)
			l.With(key, func(t *topic) {
				if err == nil {
					t.see(s)
				}
				t.revision = now
			})
			tell(l, key)
		}
	}
	return oldest, nil
}

// apply takes note of events, those of one revision together: what a key has gone through in between is not told.
func (m *Manager) apply(l *audience.Loop[topic], events []*clientv3.Event) {
	touched := map[string]struct{}{}
	for _, e := range events {
		name := string(e.Kv.Key)
		key, ok := m.keyOf(name)
		if !ok {
			continue
		}
		touched[key] = struct{}{}
		l.With(key, func(t *topic) {
			switch {
			case t.revision == 0, e.Kv.ModRevision <= t.revision: // not read yet, or read since
			case e.Type == clientv3.EventTypeDelete && name == t.name:
				t.see(sight{Lease: lease.Lease{Key: key}})
			case e.Type == clientv3.EventTypePut:
				if s, err := m.sight(key, []*mvccpb.KeyValue{e.Kv}, e.Kv.ModRevision); err == nil {
					t.see(s)
				}
			}
		})
	}
	for key := range touched {
		tell(l, key)
	}
}

// see takes note of what etcd has. A vacant record keeps the last term that is known.
func (t *topic) see(s sight) {
	r := s.record(-1)
	if s.Holder.IsZero() {
		r.Term = t.record.Term
	}
	t.record, t.name = r, s.name
}

// tell tells of key what is known, that nobody is there too. Renewals are no changes.
func tell(l *audience.Loop[topic], key string) {
	var r lease.Record
	l.With(key, func(t *topic) { r = t.record })
	if r.Key != "" {
		l.Tell(key, r.Lease, r)
	}
}
