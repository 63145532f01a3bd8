package lease

import (
	"context"
	"strconv"
	"time"
)

// Term counts the acquisitions of one key. Every acquisition has a greater term than all before it; terms may skip
// numbers. It is the fencing token to send along with every write of a leader. Zero means never held.
type Term uint64

// String returns the term in decimal.
func (t Term) String() string { return strconv.FormatUint(uint64(t), 10) }

// Holder is one live process that stands for leases. Two holders are the same only if all fields are equal.
type Holder struct {
	// Name is what people call the process. Unique names make good logs; safety does not rest on them.
	Name string
	// Incarnation is drawn at random each time a process starts, so that a restarted process, or a second one that was
	// given the same name by mistake, is somebody else.
	Incarnation string
	// Meta is small text to publish to observers while holding, such as an address to reach the leader at.
	// It takes no part in deciding whose lease it is.
	Meta string
}

// Is reports whether h and o are the same process: same name and same incarnation. Meta does not count.
func (h Holder) Is(o Holder) bool { return h.Name == o.Name && h.Incarnation == o.Incarnation }

// IsZero reports whether h is nobody.
func (h Holder) IsZero() bool { return h.Name == "" && h.Incarnation == "" }

// String returns the holder's name, or "nobody".
func (h Holder) String() string {
	if h.IsZero() {
		return "nobody"
	}
	return h.Name
}

// Lease is a grant: this holder has this key under this term. It is a plain comparable value with no clock inside:
// how long it lasts is known to the holder, from the moment it sent the request.
type Lease struct {
	Key    string
	Holder Holder
	Term   Term
}

// Record is what an observer may know about a key. A zero Holder means that nobody holds it; Term is then the last one
// that was granted (0: none ever, or the store cannot tell).
type Record struct {
	Lease
	// Remaining is how much longer the lease lasts unless it is renewed: zero when it is free to be taken now,
	// negative when the store cannot tell.
	Remaining time.Duration
}

// Vacant reports whether nobody holds the lease, or whoever held it has let it run out.
func (r Record) Vacant() bool { return r.Holder.IsZero() || r.Remaining == 0 }

// Manager grants leases. One Manager serves many keys and is safe for concurrent use.
//
// Every method returns soon after its context ends, with an error that says so; what the request did at the store is
// then unknown. Callers bound their own wait all the same. Calls are made with validated arguments (see [CheckKey],
// [Holder.Check]); a Manager need not repeat that, but must never let a key or name become part of a path, a statement
// or a URL unescaped.
//
// A holder makes one call at a time for a key, but does not wait for ever: what it gave up may arrive at the store
// after the call that it made next, and was answered. This must take nothing from that answer. An Acquire that was
// overtaken is refused, by a condition on what it has read or by a number; or it gives the lease a new term, which
// the holder learns of when it renews, and never an earlier end: lengths may change from one Acquire to the next,
// and whoever is granted a lease for 60 s works on for most of that, whatever an older request for 5 s does. A Renew
// that was overtaken is harmless if the store counts from when it carries it out, because all requests of a term are
// for the same length.
type Manager interface {
	// Acquire takes the lease on key for ttl if it is free: never held, released, run out, or held by this very holder
	// (same name and incarnation), which then gets a new term. It is refused with a *[HeldError] (errors.Is [ErrHeld])
	// while somebody else holds it. Any other error leaves the outcome unknown.
	Acquire(ctx context.Context, key string, h Holder, ttl time.Duration) (Lease, error)
	// Renew makes l last ttl from now on. It is refused with an error that is [ErrLost], best a *[LostError], if l is not
	// what the store has: another holder, incarnation or term, released, or run out and taken. A Manager may renew a lease
	// that has run out but that nobody has taken since. It keeps the term.
	Renew(ctx context.Context, l Lease, ttl time.Duration) error
	// Release gives l up so that another holder may have it at once. It leaves the term behind, from which the next is
	// counted. It is refused with [ErrLost] if l is not what the store has. Releasing twice is allowed: the second call
	// returns nil or ErrLost and changes nothing.
	Release(ctx context.Context, l Lease) error
}

// Watcher is implemented by Managers that can tell of changes promptly. It makes failover faster; it is never needed
// for safety, and polling goes on beside it.
type Watcher interface {
	// Watch calls changed with what becomes known of key, first with the present record if the store has one, until stop
	// is called. Calls for one key do not overlap and come in the order of the store; some may be skipped or repeated, the
	// newest always arrives. changed must return soon and must not call the Manager. stop may be called more than once and
	// from anywhere but changed; when it returns, changed is not running and will not be called again.
	Watch(key string, changed func(Record)) (stop func(), err error)
}

// Reader is implemented by Managers that can tell the state of a key without standing for it.
type Reader interface {
	// Read returns what is known of key. A key that was never held is a Record with a zero Holder and a zero Term,
	// not an error.
	Read(ctx context.Context, key string) (Record, error)
}

// Limits is what a store can carry. A zero field means no limit of that kind.
type Limits struct {
	// MinTTL and MaxTTL bound the length of a lease.
	MinTTL, MaxTTL time.Duration
	// Step is the unit in which the store counts: a TTL must be a multiple of it.
	Step time.Duration
	// MaxKey is the longest key in bytes, if it is less than [MaxKey].
	MaxKey int
}

// Limiter is implemented by Managers whose store has limits, so that they are checked when an election is added and
// not discovered while it runs.
type Limiter interface{ Limits() Limits }
