package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// ErrConflict is what Store returns when the record was not replaced because its version was not the expected one. It
// is the only definite refusal; any other error leaves open whether the record was replaced, or will be.
var ErrConflict = errors.New("register: the version has changed")

// Register keeps one small record for a key, with a version that is different after every change. It is safe for
// concurrent use, and both methods return soon after their context ends.
//
// What it has to promise: Store compares and replaces in one atomic step; what it stored survives; a Load that begins
// after a Store succeeded sees it, or something later. A version never comes back. (A hash of the value will do for a
// version, since no two writes of a Manager are equal.)
type Register interface {
	// Load returns the record of key and its version, or a nil value and the version "" if there is none. It need not
	// return more than [MaxSize] bytes and one more.
	Load(ctx context.Context, key string) (value []byte, version string, err error)
	// Store replaces the record whose version is version, or creates it if version is "", and returns the new version;
	// "" if it cannot tell. It fails with an error that is [ErrConflict] if the record has another version, exists, or
	// does not exist, as the case may be.
	Store(ctx context.Context, key string, value []byte, version string) (string, error)
}

// Config says what a Manager is made of. Only Register must be set.
type Config struct {
	Register Register
	// Clock tells the time; only Now is called, and only differences count. Nil means the real clock.
	Clock clock.Clock
	// Drift is how much longer than its length a lease is left alone, as a fraction: the largest ratio by which the
	// clocks of two hosts may differ in rate. Zero means 0.01, that is 1 %; negative means none, for simulations.
	// Less than 1.
	Drift float64
	// Limits is what the store can carry. A zero MaxTTL means [MaxTTL], which is also the most there is.
	Limits lease.Limits
	// Shared reads a clock that several processes share: it never stops, never steps and counts alike for all who are
	// told the same domain. Nil, or an empty domain, means that there is none. With it, a newcomer need not watch for
	// a whole TTL.
	Shared func() (domain string, now time.Duration)
	// Floor returns a term that the store has surely given out for key, or 0. It is asked at each acquisition, after each
	// Load, and guards terms against a store that loses records. Nil means 0.
	Floor func(key string) lease.Term
	// Where says where people find the record of key, for error messages. Nil means that its key is enough.
	Where func(key string) string
	// ID distinguishes the writes of this Manager from those of every other, in any process; it is part of each
	// record. Empty means that it is drawn at random. Set it only in simulations. At most 200 bytes.
	ID string
}

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	if c.Register == nil {
		faults = append(faults, errors.New("register: Config.Register is nil; set it to the store to use"))
	}
	if !(c.Drift < 1) { // nor is it a number otherwise
		faults = append(faults, fmt.Errorf("register: Config.Drift %v does not keep Drift < 1", c.Drift))
	}
	longest := cmp.Or(c.Limits.MaxTTL, MaxTTL)
	if l := c.Limits; l.MinTTL < 0 || l.MinTTL > longest || longest > MaxTTL || l.Step < 0 {
		faults = append(faults, fmt.Errorf("register: Config.Limits %+v does not keep 0 <= Step and "+
			"0 <= MinTTL <= MaxTTL <= %v", l, MaxTTL))
	}
	if len(c.ID) > 200 {
		faults = append(faults, fmt.Errorf("register: Config.ID has %d bytes; at most 200 are allowed", len(c.ID)))
	}
	return errors.Join(faults...)
}

// Manager is a [lease.Manager] on a [Register]. It is safe for concurrent use, starts nothing and needs no closing.
type Manager struct {
	c      Config
	epoch  time.Time
	writes atomic.Uint64
	seen   sights
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns a Manager on c.Register, or every fault of c.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	if c.Drift == 0 {
		c.Drift = 0.01
	}
	c.Drift = max(c.Drift, 0)
	if c.Limits.MaxTTL == 0 {
		c.Limits.MaxTTL = MaxTTL
	}
	if c.ID == "" {
		c.ID = lease.NewIncarnation()
	}
	return &Manager{c: c, epoch: c.Clock.Now()}, nil
}

// Limits returns what the store can carry.
func (m *Manager) Limits() lease.Limits { return m.c.Limits }

// Acquire takes the lease on key for h; see [lease.Manager]. It costs one Load and one Store.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), m.c.Limits.Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	b, err := m.do(ctx, key, Call{Op: Acquire, Holder: h, TTL: ttl})
	if err != nil {
		return lease.Lease{}, err
	}
	return lease.Lease{Key: key, Holder: h, Term: b.Term}, nil
}

// Renew makes l last ttl from now on; see [lease.Manager]. It costs one Store. Whoever asks for less than before must
// count the lesser length from the moment it asks, since it may be granted without its hearing of it.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	// A name that is none holds nothing and is refused like any other; the metadata would be written.
	meta := lease.Holder{Name: "-", Incarnation: "-", Meta: l.Holder.Meta}
	if err := errors.Join(lease.CheckKey(l.Key), meta.Check(), m.c.Limits.Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	_, err := m.do(ctx, l.Key, Call{Op: Renew, Holder: l.Holder, Term: l.Term, TTL: ttl})
	return err
}

// Release gives l up and leaves its term behind; see [lease.Manager]. It costs one Store. Releasing again returns nil
// until the lease is granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	_, err := m.do(ctx, l.Key, Call{Op: Release, Holder: l.Holder, Term: l.Term})
	return err
}

// Read returns what is known of key; see [lease.Reader]. The first look at a lease of another host shows more time
// remaining than there is, up to a whole TTL.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	if err := ended(ctx); err != nil {
		return lease.Record{}, m.fail("read", key, err)
	}
	s, now, err := m.look(ctx, key)
	if err != nil {
		return lease.Record{}, m.fail("read", key, err)
	}
	return s.Record(key, now, m.c.Drift), nil
}

// do carries a call out: look, decide, write, until it is settled.
func (m *Manager) do(ctx context.Context, key string, c Call) (Body, error) {
	c.Drift = m.c.Drift
	c.Nonce = m.c.ID + "-" + strconv.FormatUint(m.writes.Add(1), 36)
	var unsettled error
	s, known := m.seen.get(key)
	known = known && c.Op != Acquire && c.Holds(s.Body) // our own last write: no need to look
	for {
		now := m.now()
		if err := ended(ctx); err != nil {
			return Body{}, m.fail(c.Op.String(), key, first{unsettled, err})
		}
		if !known {
			var err error
			if s, now, err = m.look(ctx, key); err != nil {
				return Body{}, m.fail(c.Op.String(), key, first{unsettled, err})
			}
		}
		known, c.Floor = false, max(c.Floor, m.seen.highest(key))
		if c.Op == Acquire && m.c.Floor != nil {
			c.Floor = max(c.Floor, m.c.Floor(key))
		}
		var move Move
		switch c, move = c.Next(s, now); move.Step {
		case Done:
			return move.Body, nil
		case Refused:
			return Body{}, m.refuse(c, key, s, now)
		case GiveUp:
			return Body{}, m.fail(c.Op.String(), key, fmt.Errorf("%d writes led nowhere: %w", c.Writes, unsettled))
		case Spent:
			return Body{}, m.fail(c.Op.String(), key, lease.Permanent(fmt.Errorf("no term is left after %d", MaxTerm)))
		}
		version, err := m.c.Register.Store(ctx, key, Encode(key, move.Body), move.Version)
		if err == nil {
			m.seen.see(key, version, move.Body, m.now())
			return move.Body, nil
		}
		unsettled = err
	}
}

// ended returns why ctx has ended, or nil if it has not.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// look loads and decodes the record, and reads the clock after the answer.
func (m *Manager) look(ctx context.Context, key string) (Sight, Now, error) {
	value, version, err := m.c.Register.Load(ctx, key)
	now := m.now()
	if err != nil {
		return Sight{}, now, err
	}
	var b Body
	if version != "" {
		if b, err = Decode(key, value); err != nil {
			return Sight{}, now, err
		}
	}
	return m.seen.see(key, version, b, now), now, nil
}

func (m *Manager) now() Now {
	now := Now{Local: m.c.Clock.Now().Sub(m.epoch)}
	if m.c.Shared != nil {
		now.Domain, now.Shared = m.c.Shared()
	}
	return now
}

func (m *Manager) refuse(c Call, key string, s Sight, now Now) error {
	record := s.Record(key, now, m.c.Drift)
	if c.Op == Acquire {
		return &lease.HeldError{Record: record}
	}
	return &lease.LostError{Lease: lease.Lease{Key: key, Holder: c.Holder, Term: c.Term}, Record: record}
}

// fail names the operation, the key and the place of its record; the causes stay visible to errors.Is.
func (m *Manager) fail(op, key string, err error) error {
	if m.c.Where != nil {
		return fmt.Errorf("lease: %s %q: %w (%s)", op, key, oneLine{err}, m.c.Where(key))
	}
	return fmt.Errorf("lease: %s %q: %w", op, key, oneLine{err})
}
