package actor

import (
	"errors"
	"sync"

	"github.com/go-tenure/tenure/lease"
)

// newsstand is a Manager whose watches show what the test says.
type newsstand struct {
	lease.Manager
	fails int // how many calls of Watch are to fail

	mu      sync.Mutex
	watches map[string]func(lease.Record)
	began   int
	ended   int
}

func (s *newsstand) Watch(key string, changed func(lease.Record)) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errors.New("no watch today")
	}
	if s.watches == nil {
		s.watches = map[string]func(lease.Record){}
	}
	s.watches[key] = changed
	s.began++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches, key)
		s.ended++
	}, nil
}

func (s *newsstand) tell(key string, r lease.Record) {
	s.mu.Lock()
	changed := s.watches[key]
	s.mu.Unlock()
	if changed != nil {
		changed(r)
	}
}
