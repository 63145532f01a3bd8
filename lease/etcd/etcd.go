package etcd

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

// Config says where the leases are. Only Client must be set.
type Config struct {
	// Client is the caller's connection to etcd. It may serve other purposes too, and is never closed here. Give it all
	// members as endpoints, and DialKeepAliveTime and DialKeepAliveTimeout, or a connection that is dead without having
	// ended is noticed by nothing but the ends of calls.
	Client *clientv3.Client
	// Prefix is the beginning of all keys in etcd that belong to these leases; nobody else may write there, and no
	// prefix may begin with another one. It ends with a slash, which is added if it is missing. Empty means "tenure/".
	Prefix string
}

const (
	defaultPrefix = "tenure/"
	maxPrefix     = 1024
	// etcd counts the length of leases in seconds.
	step = time.Second
	// maxTTL is the longest lease that etcd grants, 285 years.
	maxTTL = 9_000_000_000 * time.Second
)

// Check returns an error that names every fault of c, nil if there is none.
func (c Config) Check() error {
	var faults []error
	if c.Client == nil {
		faults = append(faults, errors.New("etcd: Config.Client is nil; set it to a client of the cluster"))
	}
	if len(c.Prefix) > maxPrefix {
		faults = append(faults, fmt.Errorf("etcd: Config.Prefix has %d bytes; at most %d are allowed", len(c.Prefix),
			maxPrefix))
	} else if i := strings.IndexFunc(c.Prefix, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		faults = append(faults, fmt.Errorf("etcd: Config.Prefix %q is not printable ASCII at byte %d", c.Prefix, i))
	}
	return errors.Join(faults...)
}

// Manager is the leases under one prefix of an etcd cluster. It is a [lease.Manager], [lease.Watcher], [lease.Reader]
// and [lease.Limiter], safe for concurrent use, and needs no closing: it has a goroutine only while something is
// watched.
type Manager struct {
	client   *clientv3.Client
	leases   pb.LeaseClient // of the client, in the form that lets us choose the number of a lease
	prefix   string
	audience *audience.Audience[topic]
	// newest is the greatest revision that etcd has shown; it never shows a smaller one unless it has lost data.
	newest atomic.Int64

	mu sync.Mutex
	// mine is what is known of the leases that were granted here, by key: one for each key that this process has held
	// and not released.
	mine map[string]sight
	// orphans are etcd leases of acquisitions that failed and could not be revoked yet.
	orphans []orphan
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns the Manager of the leases under c.Prefix. It asks etcd nothing, so that a node can be set up while the
// cluster is away; a fault of c is [lease.ErrPermanent].
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	m := &Manager{
		client: c.Client, leases: clientv3.RetryLeaseClient(c.Client),
		prefix: strings.TrimSuffix(c.Prefix, "/") + "/", mine: map[string]sight{},
	}
	m.audience = audience.New(m.serve)
	return m, nil
}

// Limits returns that etcd counts in whole seconds, from one up. The servers may have a greater minimum, and raise what
// is shorter; see the package comment.
func (m *Manager) Limits() lease.Limits {
	return lease.Limits{MinTTL: step, MaxTTL: maxTTL, Step: step}
}

// IfHeld returns the condition that l is held at this very moment, under its term. Put it into your own transaction,
// and whatever the transaction writes is written by the leader or not at all, however late it arrives:
//
//	resp, err := client.Txn(ctx).If(m.IfHeld(l)).Then(clientv3.OpPut("ledger", entry)).Commit()
//
// If the transaction did not succeed, the lease is lost. It may be used from anywhere, and with the lease of another
// process.
func (m *Manager) IfHeld(l lease.Lease) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(m.dir(l.Key)), "=", int64(l.Term)).WithPrefix()
}

// ifVacant is the condition that nobody holds key: a comparison with a range of which nothing exists is one with zero.
func (m *Manager) ifVacant(key string) clientv3.Cmp { return m.IfHeld(lease.Lease{Key: key}) }

// dir returns the beginning of the names under which the holder of key may stand. Escaped, the key has no slash, so
// that no such beginning is that of another.
func (m *Manager) dir(key string) string { return m.prefix + url.PathEscape(key) + "/" }

// keyOf returns the key that a name in etcd belongs to.
func (m *Manager) keyOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, m.prefix)
	escaped, _, sub := strings.Cut(rest, "/")
	if !ok || !sub {
		return "", false
	}
	key, err := url.PathUnescape(escaped)
	return key, err == nil && m.dir(key) == m.prefix+escaped+"/"
}

// show notes the revision of an answer and returns the greatest one known.
func (m *Manager) show(revision int64) {
	for {
		known := m.newest.Load()
		if revision <= known || m.newest.CompareAndSwap(known, revision) {
			return
		}
	}
}
