package nats

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

// Config says where the leases are. All fields must be set.
type Config struct {
	// JetStream is the caller's, on a connection of the caller's. It may serve other purposes too; neither it nor the
	// connection is ever closed here.
	JetStream jetstream.JetStream
	// Bucket is the name of a bucket of leases and of nothing else. Make it as [Bucket] describes it.
	Bucket string
}

const (
	// The server counts the length of a message's life in whole seconds.
	step = time.Second
	// markerTTL is how long the server's notes of leases that ran out stay, and our own of those that were released.
	markerTTL = 24 * time.Hour
	maxTTL    = 365 * 24 * time.Hour
)

// Bucket returns how the bucket of that name must be made, on so many servers: 1, or 3 or 5 of a cluster.
//
//	_, err := js.CreateOrUpdateKeyValue(ctx, nats.Bucket("leases", 3))
func Bucket(name string, replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: name, Description: "leases of tenure", Replicas: replicas, Storage: jetstream.FileStorage, History: 1,
		LimitMarkerTTL: markerTTL,
	}
}

var validBucket = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,200}$`)

// Check returns an error that names every fault of c, nil if there is none.
func (c Config) Check() error {
	var faults []error
	if c.JetStream == nil {
		faults = append(faults, errors.New("nats: Config.JetStream is nil; set it to a JetStream of the servers"))
	}
	if !validBucket.MatchString(c.Bucket) {
		faults = append(faults, fmt.Errorf("nats: Config.Bucket %.80q is no name of a bucket: 1 to 200 letters, digits, "+
			"_ and -", c.Bucket))
	}
	return errors.Join(faults...)
}

// Manager is the leases of one bucket. It is a [lease.Manager], [lease.Watcher], [lease.Reader] and [lease.Limiter],
// safe for concurrent use, and needs no closing: it has a goroutine only while something is watched.
type Manager struct {
	js         jetstream.JetStream
	bucket     string
	audience   *audience.Audience[topic]
	checkEvery time.Duration // defaultCheck but in tests
	// newest is the greatest position that the bucket has shown; it never shows a smaller one unless it has lost data.
	newest atomic.Uint64

	mu sync.Mutex
	// mine is what is known of the leases that were granted here, by key: one for each key that this process has held
	// and not released.
	mine map[string]sight
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns the Manager of the leases in c.Bucket. It asks the server nothing, so that a node can be set up while the
// servers are away; what is wrong with the bucket is found by the first Acquire. A fault of c is [lease.ErrPermanent].
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	m := &Manager{js: c.JetStream, bucket: c.Bucket, checkEvery: defaultCheck, mine: map[string]sight{}}
	m.audience = audience.New(m.serve)
	return m, nil
}

// Limits returns that the server counts in whole seconds, from one up. A year is a limit of ours.
func (m *Manager) Limits() lease.Limits {
	return lease.Limits{MinTTL: step, MaxTTL: maxTTL, Step: step}
}

func (m *Manager) stream() string { return "KV_" + m.bucket }

// subject returns where the lease on key is written.
func (m *Manager) subject(key string) string { return "$KV." + m.bucket + "." + escape(key) }

// escape makes one token of a subject out of a key, one that tools for buckets take too: whatever is neither letter,
// digit, '-', '_' nor '/' is written =XX.
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// unescape returns the key that escape made token of, if it did.
func unescape(token string) (key string, ok bool) {
	key, err := url.PathUnescape(strings.ReplaceAll(token, "=", "%"))
	return key, err == nil && escape(key) == token
}

// show notes a position that the bucket has reached.
func (m *Manager) show(position uint64) {
	for {
		known := m.newest.Load()
		if position <= known || m.newest.CompareAndSwap(known, position) {
			return
		}
	}
}

// recall returns what is known of l if it was granted here.
func (m *Manager) recall(l lease.Lease) (sight, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mine[l.Key]
	return s, ok && s.Term == l.Term && s.Holder.Is(l.Holder)
}

func (m *Manager) remember(s sight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.mine[s.Key]; known.Term < s.Term || known.Term == s.Term && known.seq < s.seq {
		m.mine[s.Key] = s
	}
}

func (m *Manager) forget(l lease.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mine[l.Key].Term == l.Term {
		delete(m.mine, l.Key)
	}
}
