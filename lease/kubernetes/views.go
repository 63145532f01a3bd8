package kubernetes

import (
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// A key that nobody has asked about for this long is forgotten: what was seen of it and its highest term.
const memory = time.Hour

// views is what a Manager remembers of each key. It grows with the keys that are asked about within an hour. The zero
// value is empty.
type views struct {
	mu    sync.Mutex
	keys  map[string]*memo
	sweep int // how many keys there must be before the next one sweeps
}

type memo struct {
	view view
	high lease.Term
	used time.Duration
}

// see takes in that the server shows o for key, and returns the view that follows.
func (s *views) see(key string, o object, guard, now time.Duration) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[key]
	if e == nil {
		s.forget(now)
		e = &memo{}
		s.keys[key] = e
	}
	e.used = now
	e.view = e.view.see(o, key, guard, e.high, now)
	e.high = max(e.high, e.view.body.Term)
	return e.view
}

// gone takes in that there is no Lease for key. The highest term stays.
func (s *views) gone(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.keys[key]; e != nil {
		e.view = view{}
	}
}

// get returns what is remembered of key.
func (s *views) get(key string) (view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[key]
	if e == nil || e.view.object.version == "" {
		return view{}, false
	}
	return e.view, true
}

// highest returns the highest term that was ever seen of key, as far as it is remembered.
func (s *views) highest(key string) lease.Term {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.keys[key]; e != nil {
		return e.high
	}
	return 0
}

// forget drops what has not been used for long, each time the number of keys has doubled.
func (s *views) forget(now time.Duration) {
	if s.keys == nil {
		s.keys = map[string]*memo{}
	}
	if len(s.keys) < s.sweep {
		return
	}
	for key, e := range s.keys {
		if now-e.used > max(memory, 2*e.view.body.TTL) {
			delete(s.keys, key)
		}
	}
	s.sweep = max(1024, 2*len(s.keys))
}
