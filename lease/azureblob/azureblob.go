package azureblob

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// Mode is how a blob keeps a lease.
type Mode int

const (
	// Native leaves it to the service to lease the blob: 15 to 60 s, in whole seconds.
	Native Mode = iota
	// Swap keeps the lease in the content of the blob, replaced by compare-and-swap: 1 s to 30 days.
	Swap
)

// String returns the name of the mode in lower case.
func (m Mode) String() string {
	switch m {
	case Native:
		return "native"
	case Swap:
		return "swap"
	}
	return "no mode"
}

// Config says where the leases are. Only Container must be set.
type Config struct {
	// Container is the caller's client for the container, with the credentials of the caller's choice. It is not closed
	// here. The container is made at the first acquisition if it is missing and the credentials allow that.
	Container *container.Client
	// Prefix is what names of blobs begin with: letters, digits and - _ . / in at most 200 bytes, with no empty, "." or
	// ".." part between slashes. Empty means "tenure/". After it comes the key, in which all bytes but letters, digits,
	// - and _ are written as =XX.
	Prefix string
	// Mode is how blobs keep leases: the same for all who stand for a key. Zero means Native.
	Mode Mode
}

const (
	defaultPrefix = "tenure/"
	minNative     = 15 * time.Second
	maxNative     = 60 * time.Second
	minSwap       = time.Second
)

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_./-]{0,200}$`)

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	if c.Container == nil {
		faults = append(faults, errors.New("azureblob: Config.Container is nil; set it to the client of a container"))
	}
	if !prefixPattern.MatchString(c.Prefix) || badPath(c.Prefix) {
		faults = append(faults, fmt.Errorf("azureblob: Config.Prefix %.80q is not made of at most 200 letters, digits and "+
			`- _ . /, without empty, "." or ".." parts`, c.Prefix))
	}
	if c.Mode != Native && c.Mode != Swap {
		faults = append(faults, fmt.Errorf("azureblob: Config.Mode is %d; set it to Native or Swap", int(c.Mode)))
	}
	return errors.Join(faults...)
}

// badPath reports whether a prefix has parts that a URL does not keep.
func badPath(prefix string) bool {
	for i, part := range strings.Split(prefix, "/") {
		last := i == strings.Count(prefix, "/")
		if part == "" && !last || part == "." || part == ".." {
			return true
		}
	}
	return false
}

// engine is what the modes do differently.
type engine interface {
	lease.Manager
	lease.Reader
	lease.Limiter
}

// Manager is the leases of one container and prefix. It is safe for concurrent use, starts nothing and needs no
// closing.
type Manager struct{ e engine }

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns the Manager of a container, or every fault of c. It does not ask the service anything.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	b := &blobs{container: c.Container, prefix: c.Prefix}
	if c.Mode == Native {
		return &Manager{newNative(b)}, nil
	}
	e, err := register.New(register.Config{
		Register: &swap{b},
		Limits:   lease.Limits{MinTTL: minSwap},
		Floor:    func(string) lease.Term { return floor() },
		Where:    func(key string) string { return "blob " + b.name(key) },
	})
	if err != nil {
		return nil, lease.Permanent(err)
	}
	return &Manager{e}, nil
}

// floor is less than every term that a blob which is made from now on begins with.
func floor() lease.Term { return lease.Term(max(time.Now().UnixMicro(), 0)) }

// Limits returns 15 to 60 s in whole seconds for Native, and 1 s to 30 days for Swap.
func (m *Manager) Limits() lease.Limits { return m.e.Limits() }

// Acquire takes the lease on key for h; see [lease.Manager]. With Native it costs three requests, and one if another
// holds the lease; with Swap two and one.
func (m *Manager) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	return m.e.Acquire(ctx, key, h, ttl)
}

// Renew makes l last ttl from now on; see [lease.Manager]. It costs one request; with Native, when the length changes
// or another Manager acquired l, four.
func (m *Manager) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	return m.e.Renew(ctx, l, ttl)
}

// Release gives l up and leaves the blob with its term behind; see [lease.Manager]. It costs one request with Swap and
// two with Native. Releasing again returns nil until the lease is granted anew, then ErrLost.
func (m *Manager) Release(ctx context.Context, l lease.Lease) error { return m.e.Release(ctx, l) }

// Read returns what is known of key; see [lease.Reader]. With Native the service does not tell how much time remains.
func (m *Manager) Read(ctx context.Context, key string) (lease.Record, error) {
	return m.e.Read(ctx, key)
}
