package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/lease"
)

// watch is what a Manager watches. It has goroutines from the first add until the last stop.
type watch struct {
	mu   sync.Mutex
	keys map[string]*watched
	loop *loop // nil unless something is watched
}

// watched is a key and those who want to hear of it.
type watched struct {
	listeners map[*listener]struct{}
	due       time.Time // when to read it, at the latest
}

// listener is one Watch.
type listener struct {
	mu      sync.Mutex         // held while changed runs
	changed func(lease.Record) // nil once stopped
	told    *lease.Record      // the last it was told; nil if none
}

// loop reads what may have changed.
type loop struct {
	cancel context.CancelFunc
	wake   chan struct{} // something is due sooner than it was
	done   chan struct{}
}

const (
	// batch is how many records are read at once.
	batch = 128
	// readLimit bounds one batch, and retry is how long to wait after one that failed.
	readLimit = 5 * time.Second
	retry     = time.Second
)

// Watch calls changed with the record of key, soon and after each change of hands, and when a lease has run out; see
// [lease.Watcher]. Renewals are not told. It does not wait for the server, and goes on through restarts of it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	w, me := &m.watch, &listener{changed: changed}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w.keys = map[string]*watched{}
		w.loop = &loop{cancel: cancel, wake: make(chan struct{}, 1), done: make(chan struct{})}
		go m.follow(ctx, w.loop)
	}
	if w.keys[key] == nil {
		w.keys[key] = &watched{listeners: map[*listener]struct{}{}}
	}
	w.keys[key].listeners[me] = struct{}{}
	w.expire(w.loop, key)
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		w.remove(key, me)
	}, nil
}

// remove forgets me, and ends the goroutines after the last.
func (w *watch) remove(key string, me *listener) {
	w.mu.Lock()
	k := w.keys[key]
	if k != nil {
		delete(k.listeners, me)
		if len(k.listeners) == 0 {
			delete(w.keys, key)
		}
	}
	var last *loop
	if len(w.keys) == 0 {
		last, w.loop = w.loop, nil
	}
	w.mu.Unlock()
	if last != nil {
		last.cancel()
		<-last.done
	}
}

// expire makes key due at once, or every key if it is "". The caller holds mu.
func (w *watch) expire(l *loop, key string) {
	if w.loop != l {
		return
	}
	if k := w.keys[key]; k != nil {
		k.due = time.Time{}
	} else if key == "" {
		for _, k := range w.keys {
			k.due = time.Time{}
		}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// heard takes in that key has changed hands, or that any may have, if it is "".
func (w *watch) heard(l *loop, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key == "" || w.keys[key] != nil {
		w.expire(l, key)
	}
}

// follow reads what is due until ctx ends.
func (m *Manager) follow(ctx context.Context, l *loop) {
	defer close(l.done)
	go m.listen(ctx, l)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		keys, next := m.watch.overdue(l, time.Now())
		if len(keys) == 0 {
			timer.Reset(time.Until(next))
			select {
			case <-ctx.Done():
			case <-l.wake:
			case <-timer.C:
			}
			continue
		}
		if !m.refresh(ctx, l, keys) {
			select {
			case <-ctx.Done():
			case <-time.After(retry):
			}
		}
	}
}

// overdue returns keys that are to be read, one batch at most, and when the next is due if there is none.
func (w *watch) overdue(l *loop, now time.Time) (keys []string, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next = now.Add(time.Minute)
	if w.loop != l {
		return nil, next
	}
	for key, k := range w.keys {
		if k.due.After(now) {
			if k.due.Before(next) {
				next = k.due
			}
		} else if keys = append(keys, key); len(keys) == batch {
			break
		}
	}
	return keys, next
}

// refresh reads keys and tells of them. It reports whether the server was of use.
func (m *Manager) refresh(ctx context.Context, l *loop, keys []string) bool {
	m.watch.mu.Lock()
	asked := time.Now()
	for _, key := range keys {
		if k := m.watch.keys[key]; k != nil { // what is heard from now on makes it due again
			k.due = asked.Add(m.c.Poll)
		}
	}
	m.watch.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	records := m.readAll(ctx, keys)
	for _, key := range keys {
		r, got := records[key]
		for _, me := range m.watch.took(l, key, r, got) {
			me.tell(*r)
		}
	}
	return len(records) == len(keys)
}

// took notes when key is to be read again and returns who is to be told of r.
func (w *watch) took(l *loop, key string, r *lease.Record, got bool) []*listener {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.keys[key]
	switch {
	case w.loop != l || k == nil:
		return nil
	case !got:
		k.due = time.Time{}
		return nil
	case r == nil:
		return nil
	}
	if end := time.Now().Add(r.Remaining + time.Millisecond); !r.Vacant() && end.Before(k.due) {
		k.due = end // it ends then, unless it is renewed
	}
	return slices.Collect(maps.Keys(k.listeners))
}

// tell calls changed if r is news.
func (l *listener) tell(r lease.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.changed == nil,
		l.told == nil && r.Term == 0 && r.Holder.IsZero(), // there is no record
		l.told != nil && l.told.Lease == r.Lease && l.told.Vacant() == r.Vacant():
		return
	}
	l.told = &r
	l.changed(r)
}

// readAll reads records, many with one journey. A record that the server has but that is of no use, or that may not be
// read, is nil; Acquire reports it. Keys that there was no answer about are left out.
func (m *Manager) readAll(ctx context.Context, keys []string) map[string]*lease.Record {
	got := make(chan map[string]*lease.Record, 1)
	go func() {
		records, known := m.readBatch(ctx, keys, script.EvalSha)
		if !known {
			records, _ = m.readBatch(ctx, keys, script.Eval)
		}
		got <- records
	}()
	select {
	case records := <-got:
		return records
	case <-ctx.Done():
		return nil
	}
}

type eval func(context.Context, goredis.Scripter, []string, ...any) *goredis.Cmd

// readBatch also reports whether every server knows the script.
func (m *Manager) readBatch(ctx context.Context, keys []string, run eval) (map[string]*lease.Record, bool) {
	p := m.c.Client.Pipeline()
	replies := make([]*goredis.Cmd, len(keys))
	for i, key := range keys {
		r := request{op: "read", lease: lease.Lease{Key: key}}
		replies[i] = run(ctx, p, m.keys(r), m.args(r)...)
	}
	_, _ = p.Exec(ctx) // each reply has its error
	records := map[string]*lease.Record{}
	for i, key := range keys {
		reply, err := replies[i].Result()
		var refusal goredis.Error
		switch {
		case goredis.HasErrorPrefix(err, "NOSCRIPT"):
			return nil, false
		case errors.As(err, &refusal):
			records[key] = nil
		case err == nil:
			if a, err := parse(key, reply); err == nil {
				records[key] = &a.record
			} else {
				records[key] = nil
			}
		}
	}
	return records, true
}
