package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

var errCut = errors.New("the store cannot be reached")

// A slot is what an API server keeps of one lease: a record and the version that a write must name.
type slot struct {
	mu      sync.Mutex
	version uint64 // 0: there is no record
	record  resourcelock.LeaderElectionRecord
	written time.Time
}

// clientGo is the arena of client-go's elector.
type clientGo struct {
	tb     testing.TB
	shared slot
	count  atomic.Int64
	refuse atomic.Int64
}

func openClientGo(tb testing.TB) arena { return &clientGo{tb: tb} }

// A slotLock is one process's view of a slot; it is client-go's seam for stores.
type slotLock struct {
	arena *clientGo
	slot  *slot
	name  string
	seen  uint64
	down  *atomic.Bool
	led   *sync.WaitGroup // grows when the elector is about to call OnStartedLeading
}

var _ resourcelock.Interface = (*slotLock)(nil)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// Get returns the record, and its version as the bytes that tell one record from the next.
func (l *slotLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.down.Load() {
		return nil, nil, errCut
	}
	l.slot.mu.Lock()
	defer l.slot.mu.Unlock()
	if l.slot.version == 0 {
		return nil, nil, apierrors.NewNotFound(leases, l.name)
	}
	l.seen = l.slot.version
	if l.slot.record.HolderIdentity != l.name {
		l.arena.refuse.Add(1)
	}
	record := l.slot.record
	return &record, binary.BigEndian.AppendUint64(nil, l.seen), nil
}

// Create writes the first record.
func (l *slotLock) Create(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.write(0, r)
}

// Update replaces the record that this process saw last.
func (l *slotLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.write(l.seen, r)
}

func (l *slotLock) write(expect uint64, r resourcelock.LeaderElectionRecord) error {
	if l.down.Load() {
		return errCut
	}
	l.slot.mu.Lock()
	defer l.slot.mu.Unlock()
	if l.slot.version != expect {
		return apierrors.NewConflict(leases, l.name, errors.New("another version"))
	}
	l.slot.version++
	l.seen = l.slot.version
	l.slot.record = r
	l.slot.written = time.Now()
	l.arena.count.Add(1)
	return nil
}

// RecordEvent is told "became leader" just before OnStartedLeading is started, on a goroutine that Run does not await.
func (l *slotLock) RecordEvent(event string) {
	if event == "became leader" {
		l.led.Add(1)
	}
}

// Identity returns the name of the process.
func (l *slotLock) Identity() string { return l.name }

// Describe returns a constant, so that nothing is spent on text that no log shows.
func (l *slotLock) Describe() string { return "slot" }

// elector makes an elector; each is good for one Run. Its l.led counts until lead has returned.
func (a *clientGo) elector(l *slotLock, lead func(context.Context)) *leaderelection.LeaderElector {
	e, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            l,
		LeaseDuration:   ttl,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     renewEvery,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer l.led.Done()
				lead(ctx)
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		a.tb.Errorf("client-go refuses its own defaults: %v", err)
	}
	return e
}

// quiet keeps client-go's log out of the measurement.
func quiet() context.Context { return klog.NewContext(context.Background(), logr.Discard()) }

type clientGoMember struct {
	down   atomic.Bool
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (a *clientGo) join(name string, lead func(context.Context)) member {
	m := &clientGoMember{}
	ctx, cancel := context.WithCancel(quiet())
	m.cancel = cancel
	m.done.Go(func() {
		for ctx.Err() == nil {
			l := &slotLock{arena: a, slot: &a.shared, name: name, down: &m.down, led: &m.done}
			a.elector(l, lead).Run(ctx)
		}
	})
	return m
}

func (m *clientGoMember) leave() {
	m.cancel()
	m.done.Wait()
}

func (m *clientGoMember) cut(off bool) { m.down.Store(off) }

func (a *clientGo) lead(n int, work bool) (stop func()) {
	var leading sync.WaitGroup
	leading.Add(n)
	stop = a.crowd(make([]slot, n), func(ctx context.Context) {
		leading.Done()
		if work {
			<-ctx.Done()
		}
	})
	leading.Wait()
	return stop
}

func (a *clientGo) follow(n int) (stop func()) {
	slots := make([]slot, n)
	for i := range slots {
		slots[i].version = 1
		slots[i].record = resourcelock.LeaderElectionRecord{HolderIdentity: "other", LeaseDurationSeconds: 3600}
	}
	before := a.refuse.Load()
	stop = a.crowd(slots, func(context.Context) { a.tb.Error("a follower leads") })
	for a.refuse.Load()-before < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	return stop
}

// crowd runs one elector for each slot.
func (a *clientGo) crowd(slots []slot, lead func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(quiet())
	var down atomic.Bool
	var done sync.WaitGroup
	for i := range slots {
		e := a.elector(&slotLock{arena: a, slot: &slots[i], name: "node-a", down: &down, led: &done}, lead)
		done.Go(func() { e.Run(ctx) })
	}
	return func() {
		cancel()
		done.Wait()
	}
}

func (a *clientGo) writes() int64 { return a.count.Load() }

func (a *clientGo) leaseEnd() time.Time {
	a.shared.mu.Lock()
	defer a.shared.mu.Unlock()
	return a.shared.written.Add(time.Duration(a.shared.record.LeaseDurationSeconds) * time.Second)
}
