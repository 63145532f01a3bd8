package actor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// Config describes a Node. The zero Config is a node that competes with nobody: see Manager.
type Config struct {
	// Name is what people call this process: 1 to lease.MaxName bytes of printable ASCII. Empty: the host's name, the
	// process id and four random letters. Two processes of one name never both lead, but make hard reading.
	Name string
	// Meta is text for observers, published while leading, such as an address; at most lease.MaxMeta bytes.
	Meta string
	// Manager is the store. Nil: one in the memory of this process, of this node's own, which warns that it reaches no
	// other.
	Manager lease.Manager
	// Clock is the time. Nil: the real one. Only Now, AfterFunc and Stop of it are used. Its wall clock and monotonic
	// clock may disagree: if the wall clock has moved further, the host has slept, and the greater length counts.
	Clock clock.Clock
	// Logger gets one record per change: changes of leadership at Info, the moves of a follower that stands in vain at
	// Debug. Nil: none. Its handler is called on the node's one goroutine: one that blocks keeps every election of the
	// node waiting.
	Logger *slog.Logger
	// Hooks are told what happens, for metrics.
	Hooks Hooks
	// MaxCalls is how many calls to the store may be under way at once, over all elections; more wait their turn, renewals
	// and releases first. 0: 256.
	MaxCalls int
	// MaxElections is how many elections may be added. 0: 1 << 20.
	MaxElections int
	// Events is how many events the node keeps for subscribers that lag behind; see events.Config. 0: its default.
	Events int
	// JoinLimit is how long Run, at its end, waits for calls to the store that do not return although their context has
	// ended. 0: 5 s. What is left then is named in Run's error.
	JoinLimit time.Duration
	// Seed makes the jitter repeatable in tests. 0: random.
	Seed uint64
}

// Hooks are functions to be told what happens. Nil ones are not called. They are called on the node's one goroutine,
// so they must return at once and must not call the node; hand over to a metrics library, count, no more.
type Hooks struct {
	// Called is told of each call to the store when it has returned, in time or not: how long it took, with what outcome.
	Called func(key string, op fsm.Op, took time.Duration, err error)
	// Moved is told of each event just before subscribers are.
	Moved func(events.Transition)
	// Slept is told when the wall clock has run ahead of the monotonic clock by d: the host slept, or its clock was set.
	Slept func(d time.Duration)
}

// Election describes one election to stand in. Only Key must be given, and a TTL in one of three ways.
type Election struct {
	// Key is what is led: 1 to lease.MaxKey bytes of printable ASCII, the same on all nodes.
	Key string
	// TTL is the length of the lease. 0: Timing.TTL, or else 15 s. Different nodes may use different lengths.
	TTL time.Duration
	// TTLFunc, if given, is asked for the length of each lease before it is applied for; TTL is the first. It is called on
	// the node's one goroutine and must return at once. A length that does not fit is logged and not used.
	TTLFunc func() time.Duration
	// Timing sets single lengths of time; those that are zero derive from the TTL.
	Timing fsm.Timing
	// Lead is the work, called for each tenure on a goroutine of its own. Its context ends when leadership does;
	// context.Cause is then an *[Ended]. It should return promptly, within Timing.Grace at the latest: until it has, the
	// lease is not released and the node does not stand again. When it returns nil the node stands again after Poll and
	// Retry, so that others get their chance; after an error after a wait that grows; after [ErrOver] never again. Nil:
	// leadership is only announced, through Status, Check and events.
	Lead func(ctx context.Context, t *Tenure) error
	// Heartbeat, if given, is called every HeartbeatEvery from the start of the election to its end, leading or not,
	// never twice at once. Its context ends with the election. An error ends the election; see [Campaign.Err].
	Heartbeat      func(ctx context.Context, leading bool) error
	HeartbeatEvery time.Duration // 0: 30 s; at least 1 ms
	// Paused adds the election paused: it does not stand until it is resumed.
	Paused bool
}

// MeanTTL returns the mean of how often a lease is renewed and how often it is stood for. It is the lease length that
// Topshelf.Leader calculates, and fits where poll is the longer by far. It panics unless 0 < renew < poll.
func MeanTTL(renew, poll time.Duration) time.Duration {
	if renew <= 0 || poll <= renew {
		panic(fmt.Sprintf("actor: MeanTTL(%v, %v): give two intervals, the first more than 0 and less than the second",
			renew, poll))
	}
	return renew + (poll-renew)/2
}

const (
	defaultTTL       = 15 * time.Second
	defaultHeartbeat = 30 * time.Second
	minHeartbeat     = time.Millisecond
	defaultCalls     = 256
	defaultElections = 1 << 20
	defaultJoin      = 5 * time.Second
)

// complete returns c with its defaults filled in, and every fault.
func (c Config) complete() (Config, error) {
	var faults []error
	if c.Name == "" {
		c.Name = uniqueName()
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	if c.Manager == nil {
		c.Manager = &memory.Manager{Clock: c.Clock}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	set := func(name string, n *int, otherwise, most int) {
		if *n == 0 {
			*n = otherwise
		}
		if *n < 0 || *n > most {
			faults = append(faults, fmt.Errorf("actor: config: %s %d must be 0 to %d", name, *n, most))
		}
	}
	set("MaxCalls", &c.MaxCalls, defaultCalls, 1<<16)
	set("MaxElections", &c.MaxElections, defaultElections, 1<<24)
	set("Events", &c.Events, 0, 1<<20)
	if c.JoinLimit == 0 {
		c.JoinLimit = defaultJoin
	}
	if c.JoinLimit < 0 {
		faults = append(faults, fmt.Errorf("actor: config: JoinLimit %v must not be negative", c.JoinLimit))
	}
	if err := (lease.Holder{Name: c.Name, Incarnation: "x", Meta: c.Meta}).Check(); err != nil {
		faults = append(faults, fmt.Errorf("actor: config: %w", err))
	}
	return c, errors.Join(faults...)
}

// uniqueName makes a name that people can trace to a process.
func uniqueName() string {
	host, err := os.Hostname()
	if err != nil || lease.CheckKey(host) != nil {
		host = "node"
	}
	return fmt.Sprintf("%.200s-%d-%s", host, os.Getpid(), strings.ToLower(lease.NewIncarnation()[:4]))
}

// timing returns the complete timing of e for a lease of length ttl (0: its own), and every fault.
func (e *Election) timing(ttl time.Duration, m lease.Manager) (fsm.Timing, error) {
	t := e.Timing
	switch {
	case ttl != 0:
		t.TTL = ttl
	case e.TTL != 0 && t.TTL != 0 && e.TTL != t.TTL:
		return t, fmt.Errorf("actor: election %q: TTL %v and Timing.TTL %v differ; give one", e.Key, e.TTL, t.TTL)
	case e.TTL != 0:
		t.TTL = e.TTL
	case t.TTL == 0:
		t.TTL = defaultTTL
	}
	err := t.Check()
	if l, ok := m.(lease.Limiter); ok && err == nil {
		err = l.Limits().Check(t.TTL)
	}
	if err != nil {
		return t, fmt.Errorf("actor: election %q: %w", e.Key, err)
	}
	return t.Derive(), nil
}

// check returns every fault of e but those of its timing.
func (e *Election) check(m lease.Manager) error {
	err := lease.CheckKey(e.Key)
	if l, ok := m.(lease.Limiter); ok && err == nil {
		if most := l.Limits().MaxKey; most > 0 && len(e.Key) > most {
			err = fmt.Errorf("key has %d bytes; this store holds at most %d", len(e.Key), most)
		}
	}
	if err != nil {
		err = fmt.Errorf("actor: election %q: %w", e.Key, err)
	}
	if every := e.HeartbeatEvery; every != 0 && every < minHeartbeat {
		err = errors.Join(err,
			fmt.Errorf("actor: election %q: HeartbeatEvery %v must be at least %v", e.Key, every, minHeartbeat))
	}
	if e.HeartbeatEvery > 0 && e.Heartbeat == nil {
		err = errors.Join(err, fmt.Errorf("actor: election %q: HeartbeatEvery without Heartbeat", e.Key))
	}
	return err
}
