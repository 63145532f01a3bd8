package kubernetes

import (
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

const (
	// DefaultGuard is how much longer than its lease a holder of another kind is left alone. It suits the usual timing
	// of client-go: 7 s is twice its renew deadline of 10 s and its retry period of 2 s, less the lease of 15 s.
	DefaultGuard = 7 * time.Second
	// MinTTL is the shortest lease: renewed at a third of it, renewTime moves by a second each time.
	MinTTL = 3 * time.Second
)

// Config says what a Manager is made of. Only Client must be set.
type Config struct {
	// Client reaches the Leases of one namespace: an [HTTP], or client-go's by [Typed]. Required.
	Client Client
	// Guard is how much longer than its leaseDurationSeconds a holder is left alone that is not of this package, because
	// client-go acts beyond its lease: by up to twice its renew deadline and its retry period, less the lease duration.
	// It counts a renewal from when it was answered, which may be a whole renew deadline after the record was last
	// changed. It takes longer still if its client has no timeout: give rest.Config.Timeout at most the renew deadline.
	// Zero means [DefaultGuard]; negative means none, for where nobody uses client-go.
	Guard time.Duration
	// Drift is the largest ratio by which the clocks of two hosts may differ in rate. Zero means 0.01, that is 1 %;
	// negative means none, for tests. Less than 1.
	Drift float64
	// Clock tells the time; only Now is called. What it says is also what people read in renewTime and acquireTime; only
	// differences count otherwise. Nil means the real clock.
	Clock clock.Clock
}

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	if c.Client == nil {
		faults = append(faults, errors.New("kubernetes: Config.Client is nil; set it to InCluster() or to Typed(...)"))
	}
	if c.Guard > time.Hour {
		faults = append(faults, fmt.Errorf("kubernetes: Config.Guard %v does not keep Guard <= 1h", c.Guard))
	}
	if !(c.Drift < 1) { // nor is it a number otherwise
		faults = append(faults, fmt.Errorf("kubernetes: Config.Drift %v does not keep Drift < 1", c.Drift))
	}
	return errors.Join(faults...)
}

// New returns a Manager on the Leases that c.Client reaches, or every fault of c. It asks the server nothing.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	if c.Guard == 0 {
		c.Guard = DefaultGuard
	}
	c.Guard = max(c.Guard, 0)
	if c.Drift == 0 {
		c.Drift = 0.01
	}
	c.Drift = max(c.Drift, 0)
	return &Manager{c: c, epoch: c.Clock.Now(), id: lease.NewIncarnation()}, nil
}

// Limits returns what a Lease can carry: 3 seconds to 30 days, and keys of any length.
func (m *Manager) Limits() lease.Limits {
	return lease.Limits{MinTTL: MinTTL, MaxTTL: register.MaxTTL}
}
