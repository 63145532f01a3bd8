package register

import (
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// A key that nobody has asked about for this long is forgotten: what was seen of it and its highest term.
const memory = time.Hour

// sights is what a Manager remembers of each key. It grows with the keys that are asked about within an hour. The
// zero value is empty.
type sights struct {
	mu    sync.Mutex
	keys  map[string]*entry
	sweep int // how many keys there must be before the next one sweeps
}

type entry struct {
	sight Sight
	high  lease.Term
	used  time.Duration
}

// see takes in that key has this version and body, and returns the sight that follows.
func (s *sights) see(key, version string, b Body, now Now) Sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[key]
	if e == nil {
		s.forget(now)
		e = &entry{}
		s.keys[key] = e
	}
	e.used = now.Local
	e.high = max(e.high, b.Term)
	next := e.sight.See(version, b, now)
	if e.sight = next; b.Holder.IsZero() || version == "" {
		e.sight = Sight{} // nothing to wait for, nothing to remember but the term
	}
	return next
}

// get returns what is remembered of key.
func (s *sights) get(key string) (Sight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[key]
	if e == nil || e.sight.Version == "" {
		return Sight{}, false
	}
	return e.sight, true
}

// highest returns the highest term that was ever seen of key, as far as it is remembered.
func (s *sights) highest(key string) lease.Term {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.keys[key]; e != nil {
		return e.high
	}
	return 0
}

// forget drops what has not been used for long, each time the number of keys has doubled.
func (s *sights) forget(now Now) {
	if s.keys == nil {
		s.keys = map[string]*entry{}
	}
	if len(s.keys) < s.sweep {
		return
	}
	for key, e := range s.keys {
		if now.Local-e.used > max(memory, 2*e.sight.Body.TTL) {
			delete(s.keys, key)
		}
	}
	s.sweep = max(1024, 2*len(s.keys))
}
