package leasetest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// TB is what the suite needs of a test. *testing.T and *testing.B have it.
type TB interface {
	// Context ends just before the functions given to Cleanup run.
	Context() context.Context
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	// Fatalf must be called from the goroutine of the law, so not from one that it starts.
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
}

// Config says how to reach the store under test and how its time passes.
type Config struct {
	// New opens a Manager on the store. Required. It is called for each law; it may return the same Manager or open the
	// same store every time, because keys are drawn at random. The few fixed keys, which look like file names, are left
	// released. Register what has to be closed with t.Cleanup.
	New func(t TB) lease.Manager
	// Peer opens a second client on the store of m, such as another connection, so that contention is between two
	// clients. Nil: m serves all holders.
	Peer func(t TB, m lease.Manager) lease.Manager
	// TTL is the length of the leases that the suite lets run out: the shortest the store carries reliably. In real
	// time the suite takes about ten times as long. Zero: the least that the Manager's Limits allow, or else one
	// second.
	TTL time.Duration
	// Late is how long after its end the store may take to free a lease. The suite waits no longer than it must. Zero:
	// TTL.
	Late time.Duration
	// Clock is the one the store goes by; nil is the real clock.
	Clock clock.Clock
	// Wait lets d pass on Clock. Nil: Add if Clock is a *clock.Mock, and Sleep otherwise. If it is set, or Clock is a
	// Mock, the laws are tested one after the other, and in real time together.
	Wait func(d time.Duration)
	// Reopen restarts the store, or opens a Manager on it as a new process would. Nil: not tested.
	Reopen func(t TB, m lease.Manager) lease.Manager
	// Erase deletes the record of key behind the Manager's back, as a person might. Nil: not tested; set it if the store
	// promises that terms rise even so.
	Erase func(t TB, m lease.Manager, key string)
}

// Violation is a broken law.
type Violation struct {
	Law  string // what a Manager must do
	Text string // what it did instead, with the number of the safety rule where one rests on it
}

// String returns the law and what was done instead.
func (v Violation) String() string { return v.Law + ": " + v.Text }

// law is one promise of a Manager.
type law struct {
	name  string
	check func(*scene)
}

func laws() []law {
	return []law{
		{"a lease is granted as it was asked for", grantedAsAsked},
		{"a held lease is refused to others, who learn of the holder", refusedToOthers},
		{"contention is settled in one order", contention},
		{"contention is settled in one order though answers are lost", contentionWithFaults},
		{"requests that overtake each other act once", overtaking},
		{"an acquisition that was given up takes nothing from the next", overtakenAcquires},
		{"a renewed lease is kept from others", renewalKeepsOthersOut},
		{"a lease that ran out is free", expiryFrees},
		{"one of many takes over", oneTakesOver},
		{"a renewal counts from when it is made", renewalCounts},
		{"terms rise on every path", termsRise},
		{"renewal keeps the term", renewalKeepsTerm},
		{"a lease and its term survive a restart", survivesRestart},
		{"terms rise after a record was deleted", survivesErasure},
		{"only the holder renews, under the present term", onlyHolderRenews},
		{"only the holder releases, under the present term", onlyHolderReleases},
		{"a released lease is over", releasedIsOver},
		{"a release may be repeated", releaseRepeated},
		{"nobody's lease is lost", nobodysLease},
		{"the same name in another incarnation is somebody else", otherIncarnation},
		{"name and incarnation are told apart", namesNotJoined},
		{"metadata is published and decides nothing", metadata},
		{"holders are known by any printable name", holderNames},
		{"an ended context is an error and no refusal", endedContext},
		{"a lost answer does no harm", lostAnswers},
		{"a late request does no harm", lateRequests},
		{"keys are kept apart whatever they look like", oddKeys},
		{"many keys are served at once", manyKeys},
		{"limits that are declared are enforced", declaredLimits},
		{"a read tells what is known", reads},
		{"a watch tells of every change of hands", watchTells},
		{"a stopped watch is silent", watchStops},
		{"a watch that is being stopped is waited for", watchStopWaits},
		{"calls of a watch are in order", watchInOrder},
	}
}

// Run tests every law, each as a subtest.
func Run(t *testing.T, c Config) {
	t.Helper()
	c, err := c.complete()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("lease", func(t *testing.T) { // a group, so that what the caller defers runs after the last law
		for _, l := range laws() {
			t.Run(l.name, func(t *testing.T) {
				if !c.virtual() {
					t.Parallel()
				}
				l.check(c.scene(t))
			})
		}
	})
}

// Check tests every law, one after the other, and returns what was violated; nil if nothing was. It needs no test, so
// that a command can examine a store. It ends early with ctx, which is then a violation, too.
func Check(ctx context.Context, c Config) []Violation {
	c, err := c.complete()
	if err != nil {
		return []Violation{{Law: "the suite is set up", Text: err.Error()}}
	}
	var all []Violation
	for _, l := range laws() {
		for _, text := range observe(ctx, func(t TB) { l.check(c.scene(t)) }) {
			all = append(all, Violation{Law: l.name, Text: text})
		}
		if ctx.Err() != nil {
			return append(all, Violation{Law: l.name, Text: "not tested to the end: " + context.Cause(ctx).Error()})
		}
	}
	return all
}

// complete fills in what c leaves out.
func (c Config) complete() (Config, error) {
	if c.New == nil {
		return c, fmt.Errorf("leasetest: Config.New is nil; set it to a function that opens the store under test")
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	return c, nil
}

// virtual reports whether time passes only when the suite lets it.
func (c Config) virtual() bool {
	_, mock := c.Clock.(*clock.Mock)
	return mock || c.Wait != nil
}

// observer is a TB without a test.
type observer struct {
	ctx     context.Context
	mu      sync.Mutex
	texts   []string
	cleanup []func()
}

// observe runs check in a goroutine of its own, so that Fatalf can end it, and returns what it found.
func observe(ctx context.Context, check func(TB)) []string {
	ctx, cancel := context.WithCancel(ctx)
	o := &observer{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer o.clean(cancel)
		defer func() {
			if p := recover(); p != nil {
				o.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		check(o)
	}()
	<-done
	o.mu.Lock() // a broken Manager may still call us
	defer o.mu.Unlock()
	return o.texts[:len(o.texts):len(o.texts)]
}

func (o *observer) clean(cancel func()) {
	cancel()
	for i := len(o.cleanup) - 1; i >= 0; i-- {
		o.cleanup[i]()
	}
}

func (o *observer) Context() context.Context { return o.ctx }
func (o *observer) Helper()                  {}
func (o *observer) Logf(string, ...any)      {}
func (o *observer) Cleanup(f func())         { o.cleanup = append(o.cleanup, f) }

func (o *observer) Errorf(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.texts = append(o.texts, fmt.Sprintf(format, args...))
}

func (o *observer) Fatalf(format string, args ...any) {
	o.Errorf(format, args...)
	runtime.Goexit()
}

func (o *observer) TempDir() string {
	dir, err := os.MkdirTemp("", "leasetest-")
	if err != nil {
		o.Fatalf("leasetest: no temporary directory: %v", err)
	}
	o.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
