package kubernetes

import (
	"context"
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Between two attempts to open a watch that does not last this long passes, doubled each time up to the second.
const (
	watchPause   = 250 * time.Millisecond
	watchPatient = 30 * time.Second
	watchLook    = 5 * time.Second // how long a look may take
)

// Watch calls changed with the record of key, now and after each change, renewals included; see [lease.Watcher]. It
// needs the right to watch; without it, and while the server is away, it is silent and tries again with growing
// pauses.
func (m *Manager) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w := &watching{m: m, key: key, changed: changed}
	go func() {
		defer close(ended)
		w.run(ctx)
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-ended
	}), nil
}

// watching is one watch; one goroutine uses it.
type watching struct {
	m       *Manager
	key     string
	changed func(lease.Record)
	told    *string // the version that was last told of, "" for none; nil before the first
}

// run opens one stream after the other. After the first it looks beforehand: a stream does not tell of a deletion
// that came before it.
func (w *watching) run(ctx context.Context) {
	pause := watchPause
	for opened := 0; ctx.Err() == nil; opened++ {
		if opened > 0 {
			w.look(ctx)
		}
		heard := false
		_ = w.m.c.Client.Watch(ctx, LeaseName(w.key), func(data []byte) {
			heard = true
			w.event(ctx, data)
		})
		if pause = min(2*pause, watchPatient); heard {
			pause = watchPause
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

func (w *watching) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchLook)
	defer cancel()
	if v, err := w.m.look(ctx, w.key); err == nil {
		w.tell(ctx, v)
	}
}

// event takes in one Lease, or nil if it was deleted. One that cannot be read is passed over; Acquire reports it.
func (w *watching) event(ctx context.Context, data []byte) {
	if data == nil {
		w.m.seen.gone(w.key)
		w.tell(ctx, view{})
		return
	}
	if v, err := w.m.see(w.key, data); err == nil {
		w.tell(ctx, v)
	}
}

func (w *watching) tell(ctx context.Context, v view) {
	version := v.object.version
	if ctx.Err() != nil || w.told != nil && *w.told == version || w.told == nil && version == "" {
		return
	}
	w.told = &version
	w.changed(w.m.record(v, w.key))
}
