package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
)

// Manager grants leases among those who share it within one process. The zero value is ready; it must not be copied
// after first use. All methods may be called at once from anywhere, except from the callback of a watch.
type Manager struct {
	// Clock measures how long leases last and wakes watchers when one runs out; nil is the real clock. Only Now, Since
	// and AfterFunc with Stop are used of it. Set it before the first call.
	Clock clock.Clock
	// Quiet leaves out the warning that these leases do not reach other processes. It is written through slog.Default
	// when a Manager is first used, once in the life of a process. Set it before the first call, in tests and in
	// services that run as a single process on purpose.
	Quiet bool

	once   sync.Once
	clk    clock.Clock
	start  time.Time
	seed   maphash.Seed
	shards [shards]shard
	alarm  alarm
}

const shards = 32

// shard holds the keys of one hash. Its size keeps neighbours off one cache line.
type shard struct {
	mu   sync.Mutex
	keys map[string]*record
	_    [48]byte
}

// record is what is kept of a key. Many keys have one holder, so that holders are interned.
type record struct {
	holder  unique.Handle[lease.Holder] // zero: released, or never held; without incarnation: set aside by Assign
	term    lease.Term                  // the last one granted
	until   time.Duration               // since Manager.start; over when now has reached it
	watches *watch                      // all that watch this key
}

// warned makes the warning appear once per process, however many Managers there are.
var warned atomic.Bool

func (m *Manager) init() {
	m.clk = m.Clock
	if m.clk == nil {
		m.clk = clock.New()
	}
	m.start = m.clk.Now()
	m.seed = maphash.MakeSeed()
	if !m.Quiet && warned.CompareAndSwap(false, true) {
		slog.Default().Warn("lease/memory: leases stay in this process; other processes will lead at the same time")
	}
}

// shard returns where key is kept; every method comes through here.
func (m *Manager) shard(key string) *shard {
	m.once.Do(m.init)
	return &m.shards[maphash.String(m.seed, key)%shards]
}

// now is the time since the first call, by the monotonic clock if Clock has one.
func (m *Manager) now() time.Duration { return m.clk.Since(m.start) }

// Acquire grants the lease on key if nobody holds it, or if h does. It is refused with a *lease.HeldError while
// somebody else holds it or while Assign keeps it for another. Arguments that cannot make a lease are refused with
// an error that is lease.ErrPermanent, an ended context with an error that is its error; neither has any effect.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := ctx.Err(); err != nil {
		return lease.Lease{}, fmt.Errorf("lease: acquire %q: %w", key, err)
	}
	if err := errors.Join(lease.CheckKey(key), h.Check(), lease.Limits{}.Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(err)
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.record(key), m.now()
	if held, remaining := r.refuses(h, now); held {
		known := r.known(key, now)
		known.Remaining = remaining
		return lease.Lease{}, &lease.HeldError{Record: known}
	}
	r.holder = unique.Make(h)
	r.term++
	r.until = end(now, ttl)
	m.tell(r)
	return lease.Lease{Key: key, Holder: h, Term: r.term}, nil
}

// Renew makes l last ttl from now on. It is refused with a *lease.LostError if l is over, for whatever reason; an
// ended context is refused with its error. Watchers are not told: who holds the lease has not changed.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lease: renew %q: %w", l.Key, err)
	}
	if err := (lease.Limits{}).Check(ttl); err != nil {
		return lease.Permanent(err)
	}
	s := m.shard(l.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.keys[l.Key], m.now()
	if !r.holds(l, now) {
		return r.lost(l, now)
	}
	sooner := end(now, ttl) < r.until
	r.until = end(now, ttl)
	if sooner {
		m.advance(r)
	}
	return nil
}

// Release ends l, so that another holder may have the key at once, and keeps the term. It is refused with a
// *lease.LostError, and changes nothing, if l is over; so is the second release of a lease. An ended context is
// refused with its error.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lease: release %q: %w", l.Key, err)
	}
	s := m.shard(l.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.keys[l.Key], m.now()
	if !r.holds(l, now) {
		return r.lost(l, now)
	}
	r.holder, r.until = unique.Handle[lease.Holder]{}, 0
	m.tell(r)
	return nil
}

// Read returns what is known of key. A lease that ran out is shown with whoever held it and nothing remaining.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := ctx.Err(); err != nil {
		return lease.Record{}, fmt.Errorf("lease: read %q: %w", key, err)
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[key].known(key, m.now()), nil
}

// Assign moves the lease on key by hand, for tests of loss and of takeover. Whoever has the lease loses it at this
// instant: the next Renew or Release is refused with lease.ErrLost, and the term rises. From then on only a holder
// called name is granted it, whatever its incarnation, under a term that is greater again; everybody else is refused
// as if name held it already. That lasts until such a holder takes it or until the next Assign, however long that
// is.
//
// Watchers are told at once of a record that carries name and nothing remaining, so that the one who is meant stands
// without waiting. The empty name takes the lease away and leaves it to anyone. A key that was never held may be
// assigned, to decide who leads first; so may a key to whoever holds it, which makes that holder lose and win again.
func (m *Manager) Assign(key, name string) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(key)
	r.holder, r.until = unique.Handle[lease.Holder]{}, 0
	if name != "" {
		r.holder = unique.Make(lease.Holder{Name: name})
	}
	r.term++
	m.tell(r)
}

// record returns the record of key, made if there is none. The caller holds mu.
func (s *shard) record(key string) *record {
	r := s.keys[key]
	if r == nil {
		if s.keys == nil {
			s.keys = make(map[string]*record)
		}
		r = new(record)
		s.keys[key] = r
	}
	return r
}

// who returns the holder in the record, the zero Holder if there is none.
func (r *record) who() lease.Holder {
	if r.holder == (unique.Handle[lease.Holder]{}) {
		return lease.Holder{}
	}
	return r.holder.Value()
}

// holds reports whether l is the live lease. A nil record holds nothing.
func (r *record) holds(l lease.Lease, now time.Duration) bool {
	return r != nil && now < r.until && r.term == l.Term && r.who().Is(l.Holder)
}

// refuses reports whether the lease is kept from h, and for how long: negative if there is no telling.
func (r *record) refuses(h lease.Holder, now time.Duration) (bool, time.Duration) {
	who := r.who()
	if now < r.until {
		return !who.Is(h), r.until - now
	}
	aside := who.Name != "" && who.Incarnation == ""
	return aside && who.Name != h.Name, -1
}

// lost refuses a call for l. It is apart from its callers so that these fit on the small stack that a goroutine begins
// with: a node makes each call on a goroutine of its own, and growing its stack took a tenth of a renewal's time.
//
//go:noinline
func (r *record) lost(l lease.Lease, now time.Duration) error {
	return &lease.LostError{Lease: l, Record: r.known(l.Key, now)}
}

// known is what an observer may know. A nil record is a key that was never held.
func (r *record) known(key string, now time.Duration) lease.Record {
	if r == nil {
		return lease.Record{Lease: lease.Lease{Key: key}}
	}
	return lease.Record{
		Lease:     lease.Lease{Key: key, Holder: r.who(), Term: r.term},
		Remaining: max(0, r.until-now),
	}
}

// end is now + ttl, without overflow.
func end(now, ttl time.Duration) time.Duration {
	if ttl > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + ttl
}
