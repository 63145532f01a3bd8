package leasetest

import (
	"errors"

	"github.com/go-tenure/tenure/lease"
)

// Watch tells synchronously, under the lock of the store.
func (m *toy) Watch(key string, changed func(lease.Record)) (func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken.watchFails {
		return nil, errors.New("no watch today")
	}
	w := &toyWatch{changed: changed}
	at, r := m.record(key)
	if m.broken.watchOnlyOne {
		m.watches[at] = nil
	}
	if m.broken.watchAllKeys {
		at = ""
	}
	m.watches[at] = append(m.watches[at], w)
	if r.term > 0 && !m.broken.watchNoFirst && !m.broken.watchDeaf {
		w.tell(m.known(key, r))
	}
	return func() {
		if m.broken.watchNoStop {
			return
		}
		if m.broken.watchStopsAll {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.watches, at)
			return
		}
		if !m.broken.watchStopEarly {
			m.mu.Lock()
			defer m.mu.Unlock()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.stopped = true
			return
		}
		w.mu.Lock()
		w.stopped = true // a call that has begun goes on
		w.mu.Unlock()
	}, nil
}

func (m *toy) tell(at, key string, r *toyRecord) {
	d := m.broken
	if d.watchDeaf || d.watchNoRelease && r.holder.IsZero() {
		return
	}
	if d.watchAllKeys {
		at = ""
	}
	known := m.known(key, r)
	for _, w := range m.watches[at] {
		switch {
		case d.watchOverlaps:
			go w.tell(known)
		case d.watchBackwards && known.Term > 1:
			w.tell(known)
			known.Term--
			w.tell(known)
			known.Term++
			w.tell(known)
		default:
			w.tell(known)
		}
	}
}

func (w *toyWatch) tell(r lease.Record) {
	w.mu.Lock()
	stopped := w.stopped
	w.mu.Unlock()
	if !stopped {
		w.changed(r)
	}
}
