package etcd

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

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

// watch tells of the keys that somebody watches, all over one watch of the prefix. It has one goroutine, from the
// first add until the last stop.
type watch struct {
	m      *Manager
	mu     sync.Mutex
	topics map[string]*topic
	loop   *loop // nil unless something is watched
}

type loop struct {
	end  context.CancelFunc
	wake chan struct{} // holds one signal: somebody was added
	done chan struct{}
}

// topic is one key that is watched. All but listeners belongs to the goroutine.
type topic struct {
	key       string
	listeners []*listener // guarded by watch.mu
	record    lease.Record
	name      string // of the holder in etcd; empty if nobody is
	revision  int64  // what record is of; 0 before the first read
	changed   bool   // record has not been told yet
}

// listener is one caller's interest in one key.
type listener struct {
	mu      sync.Mutex         // held while changed runs
	changed func(lease.Record) // nil once stopped
	fresh   bool               // it has not been told anything; guarded by watch.mu
}

// Watch is as in [lease.Watcher]. Renewals are no changes. A record that cannot be read is passed over; Acquire reports
// it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.watch.add(key, changed), nil
}

func (w *watch) add(key string, changed func(lease.Record)) (stop func()) {
	me := &listener{changed: changed, fresh: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics == nil {
		w.topics = map[string]*topic{}
	}
	t := w.topics[key]
	if t == nil {
		t = &topic{key: key}
		w.topics[key] = t
	}
	t.listeners = append(t.listeners, me)
	if w.loop == nil {
		ctx, end := context.WithCancel(context.Background())
		w.loop = &loop{end: end, wake: make(chan struct{}, 1), done: make(chan struct{})}
		go w.run(ctx, w.loop)
	}
	select {
	case w.loop.wake <- struct{}{}:
	default:
	}
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		w.remove(t, me)
	}
}

// remove forgets me, and ends the goroutine after the last.
func (w *watch) remove(t *topic, me *listener) {
	w.mu.Lock()
	t.listeners = slices.DeleteFunc(t.listeners, func(l *listener) bool { return l == me })
	if len(t.listeners) == 0 && w.topics[t.key] == t {
		delete(w.topics, t.key)
	}
	var last *loop
	if len(w.topics) == 0 {
		last, w.loop = w.loop, nil
	}
	w.mu.Unlock()
	if last != nil {
		last.end()
		<-last.done
	}
}

// run watches, one watch after another: etcd ends a watch when the revision it stands at has been compacted, when the
// member it is at has lost the leader, and for want of permission.
func (w *watch) run(ctx context.Context, l *loop) {
	defer close(l.done)
	defer l.end()
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, maxPause) {
		if revision, err := w.snapshot(ctx, l, false); err == nil {
			w.tell(l)
			w.follow(ctx, l, revision)
			wait = pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// follow tells of what changes after revision, until the watch ends.
func (w *watch) follow(ctx context.Context, l *loop, revision int64) {
	// Without a leader, a member would stay silent instead of ending the watch.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	changes := w.m.client.Watch(ctx, w.m.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			if _, err := w.snapshot(ctx, l, true); err != nil {
				return
			}
		case resp, ok := <-changes:
			if !ok || resp.Err() != nil {
				return
			}
			w.apply(l, resp.Events)
		}
		w.tell(l)
	}
}

// snapshot reads all keys that are watched, or those that have not been read yet, and returns a revision since which
// nothing was missed.
func (w *watch) snapshot(ctx context.Context, l *loop, unread bool) (int64, error) {
	topics := w.all(l)
	if unread {
		topics = slices.DeleteFunc(topics, func(t *topic) bool { return t.revision > 0 })
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	oldest := int64(0)
	for some := range slices.Chunk(topics, batch) {
		ops := make([]clientv3.Op, len(some))
		for i, t := range some {
			ops[i] = w.m.get(t.key)
		}
		resp, err := w.m.transact(ctx, nil, ops, nil)
		if err != nil {
			return 0, err
		}
		now := resp.Header.Revision
		oldest = cmp.Or(oldest, now)
		for i, t := range some {
			if s, err := w.m.sight(t.key, resp.Responses[i].GetResponseRange().Kvs, now); err == nil {
				t.see(s)
			}
			t.revision = now
		}
	}
	return oldest, nil
}

// all returns the topics of the goroutine l: none once it has been ended, for they may be those of the next one.
func (w *watch) all(l *loop) []*topic {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loop != l {
		return nil
	}
	return slices.Collect(maps.Values(w.topics))
}

func (w *watch) topic(l *loop, key string) *topic {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loop != l {
		return nil
	}
	return w.topics[key]
}

// apply takes note of events, those of one revision together: what a key has gone through in between is not told.
func (w *watch) apply(l *loop, events []*clientv3.Event) {
	for _, e := range events {
		name := string(e.Kv.Key)
		key, ok := w.m.keyOf(name)
		if !ok {
			continue
		}
		t := w.topic(l, key)
		switch {
		case t == nil, t.revision == 0, e.Kv.ModRevision <= t.revision: // not watched, not read yet, or read since
		case e.Type == clientv3.EventTypeDelete && name == t.name:
			t.see(sight{Lease: lease.Lease{Key: key}})
		case e.Type == clientv3.EventTypePut:
			if s, err := w.m.sight(key, []*mvccpb.KeyValue{e.Kv}, e.Kv.ModRevision); err == nil {
				t.see(s)
			}
		}
	}
}

// see takes note of what etcd has. A vacant record keeps the last term that is known.
func (t *topic) see(s sight) {
	r := s.record(-1)
	if s.Holder.IsZero() {
		r.Term = t.record.Term
	}
	if r.Lease == t.record.Lease {
		return
	}
	t.changed = t.changed || r.Term > 0
	t.record, t.name = r, s.name
}

// tell calls those whose key has changed, and those who are new.
func (w *watch) tell(l *loop) {
	type call struct {
		listener *listener
		record   lease.Record
	}
	var calls []call
	w.mu.Lock()
	for _, t := range w.topics {
		if w.loop != l || t.record.Key == "" { // nothing is known of it
			continue
		}
		for _, one := range t.listeners {
			if t.changed || one.fresh { // that nobody is there may be news, too
				calls = append(calls, call{one, t.record})
			}
			one.fresh = false
		}
		t.changed = false
	}
	w.mu.Unlock()
	for _, c := range calls {
		c.listener.call(c.record)
	}
}

func (l *listener) call(r lease.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		l.changed(r)
	}
}
