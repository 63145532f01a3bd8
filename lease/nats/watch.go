package nats

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/internal/audience"
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
	defaultCheck = 10 * time.Second
)

// topic is what is known of a key that is watched.
type topic struct {
	record lease.Record
	seq    uint64 // of the message that record is of
	read   bool   // seq and record are what the bucket had at some time
}

// Watch is as in [lease.Watcher]. Renewals are no changes. A record that cannot be read is passed over; Acquire reports
// it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.audience.Add(key, changed), nil
}

// serve watches the whole bucket, one watch after another: one may end with its consumer, or when the bucket is
// deleted.
func (m *Manager) serve(ctx context.Context, l *audience.Loop[topic]) {
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, maxPause) {
		if m.follow(ctx, l) {
			wait = pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// follow tells of what the bucket has and of what changes, until the watch ends. It reports whether there was one.
func (m *Manager) follow(ctx context.Context, l *audience.Loop[topic]) bool {
	setup, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	bucket, err := m.js.KeyValue(setup, m.bucket)
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
	was, err := m.inspect(setup, 0)
	if err != nil {
		return false
	}
	check := time.NewTicker(m.checkEvery)
	defer check.Stop()
	m.read(ctx, l, l.Keys()) // whatever the watch may have missed before it
	for {
		select {
		case <-ctx.Done():
			return true
		case <-l.Wake():
			m.welcome(ctx, l)
		case e, ok := <-changes.Updates():
			if !ok {
				return true
			}
			m.apply(l, e)
		case <-check.C:
			if m.remade(ctx, was) {
				return true
			}
			m.read(ctx, l, unread(l, l.Keys())) // there was no answer
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
func (m *Manager) remade(ctx context.Context, was state) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	now, err := m.inspect(ctx, 0)
	return err == nil && now.epoch != was.epoch
}

// welcome tells those who are new what is known, and reads what is not.
func (m *Manager) welcome(ctx context.Context, l *audience.Loop[topic]) {
	joined := l.Joined()
	for _, key := range joined {
		tell(l, key)
	}
	m.read(ctx, l, unread(l, joined))
}

// unread is those of keys that nothing is known of yet.
func unread(l *audience.Loop[topic], keys []string) []string {
	return slices.DeleteFunc(keys, func(key string) (read bool) {
		l.With(key, func(t *topic) { read = t.read })
		return read
	})
}

// read takes note of what the bucket has of keys, and tells of it.
func (m *Manager) read(ctx context.Context, l *audience.Loop[topic], keys []string) {
	for _, key := range keys {
		limited, cancel := context.WithTimeout(ctx, readTimeout)
		s, err := m.look(limited, key)
		cancel()
		l.With(key, func(t *topic) {
			if err == nil {
				t.see(s)
			}
			if err == nil || s.seq > 0 && errors.Is(err, lease.ErrPermanent) { // or it is there and cannot be read
				t.read, t.seq = true, s.seq
			}
		})
		tell(l, key)
	}
}

// apply takes note of a change and tells of it; nil means that the watch has told all that there was.
func (m *Manager) apply(l *audience.Loop[topic], e jetstream.KeyValueEntry) {
	if e == nil {
		return
	}
	key, ok := unescape(e.Key())
	if !ok {
		return
	}
	l.With(key, func(t *topic) {
		if !t.read || e.Revision() <= t.seq {
			return // not read yet, or read since
		}
		if s, err := m.sight(key, e.Revision(), e.Operation() != jetstream.KeyValuePut, e.Value()); err == nil {
			t.see(s)
			t.seq = s.seq
		}
	})
	tell(l, key)
}

// see takes note of what the bucket has. A vacant record keeps the last term that is known.
func (t *topic) see(s sight) {
	r := s.record(-1)
	if s.Holder.IsZero() {
		r.Term = max(r.Term, t.record.Term)
	}
	t.record = r
}

// tell tells of key what is known, that nobody is there too. Renewals are no changes.
func tell(l *audience.Loop[topic], key string) {
	var r lease.Record
	l.With(key, func(t *topic) { r = t.record })
	if r.Key != "" {
		l.Tell(key, r.Lease, r)
	}
}
