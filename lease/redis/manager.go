package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

// Config says what a Manager is made of. Only Client must be set.
type Config struct {
	// Client reaches the server: a *redis.Client, also one made by NewFailoverClient, or a *redis.ClusterClient. It stays
	// the caller's, who closes it once nothing uses the Manager any more. Its timeouts bound what is left behind when a
	// context ends; its MaxRetries may stay as it is.
	Client goredis.UniversalClient
	// Prefix begins the name of every record, and of the channel. Whoever competes must use the same. Empty means
	// "tenure:". Printable ASCII without braces, at most 100 bytes.
	Prefix string
	// Replicas is how many replicas must have a grant or a renewal before it counts (WAIT). 0: none. It makes it rarer
	// that a failover forgets a lease, not impossible: another replica may be the one that takes over. Without that many
	// replicas in reach nobody is granted a lease, or keeps one.
	Replicas int
	// Poll is how often watched records are read though nothing was heard. 0: 10 s. At least 10 ms.
	Poll time.Duration
}

const (
	minTTL  = 100 * time.Millisecond
	maxTTL  = 30 * 24 * time.Hour
	minPoll = 10 * time.Millisecond
	// maxTerm is as far as the doubles of the script are exact.
	maxTerm = 1<<53 - 1
	// replicaWait is how long a server waits for its replicas, if the client's ReadTimeout is twice that or more.
	replicaWait = time.Second
)

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("redis: "+format, args...)) }
	switch c.Client.(type) {
	case nil:
		fault("Config.Client is nil; set it to the client of the server to use")
	case *goredis.Ring:
		fault("Config.Client is a *redis.Ring, which moves keys when a server does not answer, so that two would lead; " +
			"use a Client or a ClusterClient")
	case *goredis.Client, *goredis.ClusterClient:
	default:
		if c.Replicas > 0 {
			fault("Config.Client is a %T, of which it is not known how to wait for replicas; use a Client or a "+
				"ClusterClient, or leave Config.Replicas 0", c.Client)
		}
	}
	if len(c.Prefix) > 100 || strings.ContainsFunc(c.Prefix, unfit) {
		fault("Config.Prefix %.120q must be at most 100 bytes of printable ASCII without braces", c.Prefix)
	}
	if c.Replicas < 0 {
		fault("Config.Replicas %d must be 0 or more", c.Replicas)
	}
	if c.Poll != 0 && c.Poll < minPoll {
		fault("Config.Poll %v must be 0, for the default, or at least %v", c.Poll, minPoll)
	}
	return errors.Join(faults...)
}

func unfit(r rune) bool { return r < 0x20 || r >= 0x7f || r == '{' || r == '}' }

// Manager is a [lease.Manager] in Redis or Valkey. It is safe for concurrent use and needs no closing: what runs for
// its watches ends with the last of them.
type Manager struct {
	c        Config
	id       string        // names this Manager in the records
	calls    atomic.Uint64 // numbers its Acquires
	audience *audience.Audience[watched]
	// silence is how long a subscription may be silent before it is asked for a sign of life, and again until it is given
	// up: a connection that is dead at the other end looks like one on which nothing happens.
	silence time.Duration
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns a Manager, or every fault of c. It asks nothing of the server.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Prefix == "" {
		c.Prefix = "tenure:"
	}
	if c.Poll == 0 {
		c.Poll = 10 * time.Second
	}
	m := &Manager{c: c, id: lease.NewIncarnation(), silence: 5 * time.Second}
	m.audience = audience.New(m.serve)
	return m, nil
}

// Limits returns the lengths of leases: 100 ms to 30 days.
func (m *Manager) Limits() lease.Limits { return lease.Limits{MinTTL: minTTL, MaxTTL: maxTTL} }

// Record returns the name of the hash that has the record of key, whose field term is the present term. The part in
// braces decides about the slot in a cluster. It is the key itself, with %, { and } written as %25, %7B and %7D.
func (m *Manager) Record(key string) string { return m.c.Prefix + "{" + escape.Replace(key) + "}" }

var escape = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

// channel is where changes of hands are published. The prefix has no braces, so that no record is called like that.
func (m *Manager) channel() string { return m.c.Prefix + "changes" }

// An Acquire is late if a later one of this Manager was granted before it arrived. With many at once that may happen,
// but hardly so often in a row.
const maxLate = 8

// Acquire takes the lease on key for h; see [lease.Manager]. It is one request.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	for range maxLate {
		r := request{op: "acquire", lease: lease.Lease{Key: key, Holder: h}, ttl: ttl, call: m.calls.Add(1)}
		a, err := m.do(ctx, r)
		switch {
		case err != nil:
			return lease.Lease{}, m.fail(r, err)
		case a.status == done:
			return lease.Lease{Key: key, Holder: h, Term: a.record.Term}, nil
		case a.status == held:
			return lease.Lease{}, &lease.HeldError{Record: a.record}
		case a.status == spent:
			return lease.Lease{}, m.fail(r, lease.Permanent(fmt.Errorf("no term is left after %d", a.record.Term)))
		}
	}
	return lease.Lease{}, m.fail(request{op: "acquire", lease: lease.Lease{Key: key}},
		fmt.Errorf("overtaken %d times by other calls of this process", maxLate))
}

// Renew makes l last ttl from now on; see [lease.Manager]. It is one request. A lease that has run out is renewed if
// nobody has taken it since.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	// A name that is none holds nothing and is refused like any other; the metadata would be written.
	meta := lease.Holder{Name: "-", Incarnation: "-", Meta: l.Holder.Meta}
	if err := errors.Join(lease.CheckKey(l.Key), meta.Check(), m.Limits().Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	return m.conditional(ctx, request{op: "renew", lease: l, ttl: ttl})
}

// Release gives l up and leaves its term behind; see [lease.Manager]. It is one request. Releasing again returns nil
// until the lease is granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	return m.conditional(ctx, request{op: "release", lease: l})
}

func (m *Manager) conditional(ctx context.Context, r request) error {
	a, err := m.do(ctx, r)
	switch {
	case err != nil:
		return m.fail(r, err)
	case a.status == done:
		return nil
	}
	return &lease.LostError{Lease: r.lease, Record: a.record}
}

// Read returns what is known of key; see [lease.Reader]. A lease that ran out is shown with whoever held it and nothing
// remaining.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	r := request{op: "read", lease: lease.Lease{Key: key}}
	a, err := m.do(ctx, r)
	if err != nil {
		return lease.Record{}, m.fail(r, err)
	}
	return a.record, nil
}

// fail names the operation and the key; the causes stay visible to errors.Is.
func (m *Manager) fail(r request, err error) error {
	return fmt.Errorf("lease: %s %q: %w", r.op, r.lease.Key, explain(err, m.Record(r.lease.Key)))
}

// oneLine is an error whose text has no line breaks.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }
