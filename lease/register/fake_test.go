package register

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

var errBroken = errors.New("connection reset")

// fault is what happens to one Store.
type fault uint8

const (
	none        fault = iota
	lostRequest       // not carried out, no answer
	lostAnswer        // carried out, no answer
	lateRequest       // carried out when arrive is called, no answer
	ownConflict       // carried out, repeated by the client library, reported as a conflict
	spurious          // not carried out, reported as a conflict
)

// store is a register in memory that goes wrong as told. Its faults apply to one Store after the other.
type store struct {
	mu       sync.Mutex
	values   map[string][]byte
	versions map[string]int
	count    int
	faults   []fault
	broken   bool // Load fails
	late     []func()
	loads    int
	stores   int
	before   func() // runs before each Store, unlocked
	changed  map[string]func()
}

func newStore() *store {
	return &store{values: map[string][]byte{}, versions: map[string]int{}, changed: map[string]func(){}}
}

func (s *store) Load(ctx context.Context, key string) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if s.broken {
		return nil, "", errBroken
	}
	if s.versions[key] == 0 {
		return nil, "", nil
	}
	return s.values[key], strconv.Itoa(s.versions[key]), nil
}

func (s *store) Store(ctx context.Context, key string, value []byte, version string) (string, error) {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores++
	f := none
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	switch f {
	case lostRequest:
		return "", errBroken
	case spurious:
		return "", ErrConflict
	case lateRequest:
		s.late = append(s.late, func() { s.put(key, value, version) })
		return "", errBroken
	}
	if !s.put(key, value, version) {
		return "", ErrConflict
	}
	switch f {
	case lostAnswer:
		return "", errBroken
	case ownConflict:
		return "", ErrConflict
	}
	return strconv.Itoa(s.versions[key]), nil
}

func (s *store) put(key string, value []byte, version string) bool {
	have := ""
	if v := s.versions[key]; v > 0 {
		have = strconv.Itoa(v)
	}
	if have != version {
		return false
	}
	s.count++
	s.values[key], s.versions[key] = value, s.count
	return true
}

// arrive lets the writes that were late arrive.
func (s *store) arrive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.late {
		f()
	}
	s.late = nil
}

func (s *store) delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.versions, key)
	delete(s.values, key)
}

func (s *store) Notify(key string, changed func()) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed[key] = changed
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.changed, key)
	}, nil
}

// notify does what a real register does by itself.
func (s *store) notify(key string) {
	s.mu.Lock()
	f := s.changed[key]
	s.mu.Unlock()
	if f != nil {
		f()
	}
}

const (
	key = "billing"
	ttl = 10 * time.Second
)

var (
	alice = lease.Holder{Name: "alice", Incarnation: "1", Meta: "10.0.0.1:80"}
	bob   = lease.Holder{Name: "bob", Incarnation: "1"}
)

func manager(t *testing.T, r Register, clk clock.Clock) *Manager {
	t.Helper()
	m, err := New(Config{Register: r, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func acquire(t *testing.T, m *Manager, h lease.Holder) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func held(t *testing.T, m *Manager, h lease.Holder, remaining time.Duration) {
	t.Helper()
	_, err := m.Acquire(t.Context(), key, h, ttl)
	var refusal *lease.HeldError
	if !errors.As(err, &refusal) {
		t.Fatalf("acquire returned %v, not a HeldError", err)
	}
	if refusal.Record.Remaining != remaining {
		t.Fatalf("remaining is %v, not %v", refusal.Record.Remaining, remaining)
	}
}
