package nats

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/lease"
)

const (
	// A read for watches takes no longer than this; polling makes up for it.
	readTimeout = 5 * time.Second
	// Nobody who stops a watch waits longer than this for a server that hangs.
	quitTimeout = time.Second
	// pause is how long to wait after a watch has ended, before the next; it grows while the server gives no answer.
	pause, maxPause = 100 * time.Millisecond, 5 * time.Second
	// A bucket that is made anew counts from one again, which a watch of the old one does not tell: so the watch asks
	// this often whether it is still the same.
	checkEvery = 10 * time.Second
)

// watch tells of the keys that somebody watches, all over one watch of the bucket. It has one goroutine, from the first
// add until the last stop.
type watch struct {
	m      *Manager
	mu     sync.Mutex
	every  time.Duration     // checkEvery but in tests
	topics map[string]*topic // by key as it is in a subject
	loop   *loop             // nil unless something is watched
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
	seq       uint64 // of the message that record is of
	read      bool   // seq and record are what the bucket had at some time
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
	t := w.topics[escape(key)]
	if t == nil {
		t = &topic{key: key}
		w.topics[escape(key)] = t
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
	if len(t.listeners) == 0 && w.topics[escape(t.key)] == t {
		delete(w.topics, escape(t.key))
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

// run watches, one watch after another: one may end with its consumer, or when the bucket is deleted.
func (w *watch) run(ctx context.Context, l *loop) {
	defer close(l.done)
	defer l.end()
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, maxPause) {
		if w.follow(ctx, l) {
			wait = pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// follow tells of what the bucket has and of what changes, until the watch ends. It reports whether there was one.
func (w *watch) follow(ctx context.Context, l *loop) bool {
	setup, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	bucket, err := w.m.js.KeyValue(setup, w.m.bucket)
	if err != nil {
		return false
	}
	// The watch lasts as long as the context that it is made with.
	whole, end := context.WithCancel(ctx)
	defer end()
	late := time.AfterFunc(readTimeout, end)
	changes, err := bucket.WatchAll(whole)
	if err != nil || !late.Stop() {
		return false
	}
	defer quit(changes)
	was, err := w.m.inspect(setup, 0)
	if err != nil {
		return false
	}
	check := time.NewTicker(w.every)
	defer check.Stop()
	fresh := w.all(l) // read whatever the watch may have missed before it
	for {
		for _, t := range fresh {
			w.read(ctx, t)
		}
		w.tell(l)
		select {
		case <-ctx.Done():
			return true
		case <-l.wake:
			fresh = w.unread(l)
		case e, ok := <-changes.Updates():
			if !ok {
				return true
			}
			fresh = nil
			w.apply(l, e)
		case <-check.C:
			if w.remade(ctx, was) {
				return true
			}
			fresh = w.unread(l) // there was no answer
		}
	}
}

// quit ends a watch of the client. That asks the server, which may not answer; what is left behind then ends with the
// client's own timeout. The client waits for somebody to take what it has got: nobody would otherwise.
func quit(changes jetstream.KeyWatcher) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = changes.Stop()
		for range changes.Updates() { // until the client closes it
		}
	}()
	select {
	case <-done:
	case <-time.After(quitTimeout):
	}
}

// remade reports whether the bucket is another one than it was.
func (w *watch) remade(ctx context.Context, was state) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	now, err := w.m.inspect(ctx, 0)
	return err == nil && now.epoch != was.epoch
}

// read has the topic be what the bucket has now.
func (w *watch) read(ctx context.Context, t *topic) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	s, err := w.m.look(ctx, t.key)
	if err == nil {
		t.see(s)
	}
	if err == nil || s.seq > 0 && errors.Is(err, lease.ErrPermanent) { // or it is there and cannot be read
		t.read, t.seq = true, s.seq
	}
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

// unread is those of all that nothing is known of yet.
func (w *watch) unread(l *loop) []*topic {
	return slices.DeleteFunc(w.all(l), func(t *topic) bool { return t.read })
}

// apply takes note of a change; nil means that the watch has told all that there was.
func (w *watch) apply(l *loop, e jetstream.KeyValueEntry) {
	if e == nil {
		return
	}
	w.mu.Lock()
	t := w.topics[e.Key()]
	if w.loop != l {
		t = nil
	}
	w.mu.Unlock()
	if t == nil || !t.read || e.Revision() <= t.seq {
		return // not watched, not read yet, or read since
	}
	if s, err := w.m.sight(t.key, e.Revision(), e.Operation() != jetstream.KeyValuePut, e.Value()); err == nil {
		t.see(s)
		t.seq = s.seq
	}
}

// see takes note of what the bucket has. A vacant record keeps the last term that is known.
func (t *topic) see(s sight) {
	r := s.record(-1)
	if s.Holder.IsZero() {
		r.Term = max(r.Term, t.record.Term)
	}
	if r.Lease == t.record.Lease {
		return
	}
	t.changed = t.changed || r.Term > 0
	t.record = r
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
