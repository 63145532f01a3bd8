package actor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// dead is a way to the store that can be cut, as by the crash of the process.
type dead struct {
	*memory.Manager
	cut atomic.Bool
}

func (d *dead) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if d.cut.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return d.Manager.Renew(ctx, l, ttl)
}

func (d *dead) Release(ctx context.Context, _ lease.Lease) error { <-ctx.Done(); return ctx.Err() }

// BenchmarkCrashFailover measures how long after the end of the lease of a leader that is cut off the work of the next
// one runs. Target: never more than 50 ms, over 200 rounds.
func BenchmarkCrashFailover(b *testing.B) {
	for _, watch := range []bool{true, false} {
		b.Run(fmt.Sprintf("watch=%v", watch), func(b *testing.B) { crashFailover(b, watch) })
	}
}

func crashFailover(b *testing.B, watch bool) {
	var late []time.Duration
	for b.Loop() {
		const rounds, width = 200, 20
		for range rounds / width {
			var mu sync.Mutex
			var crashes sync.WaitGroup
			for range width { // pairs of nodes of their own, to be done sooner
				crashes.Go(func() {
					d := crash(b, watch)
					mu.Lock()
					late = append(late, d)
					mu.Unlock()
				})
			}
			crashes.Wait()
		}
	}
	slices.Sort(late)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "ms-late-at-most")
	b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "ms-late-p50")
}

// crash cuts off a leader and returns how long after the end of its lease its successor's work began.
func crash(b *testing.B, watch bool) time.Duration {
	store := &memory.Manager{Quiet: true}
	line := &dead{Manager: store}
	won, next := make(chan struct{}, 1), make(chan time.Time, 1)
	e := Election{Key: "billing", TTL: 900 * time.Millisecond, Lead: func(ctx context.Context, _ *Tenure) error {
		won <- struct{}{}
		<-ctx.Done()
		return ErrOver
	}}
	_, stop := start(b, Config{Name: "crashes", Manager: line}, e)
	<-won
	e.Lead = func(ctx context.Context, _ *Tenure) error {
		next <- time.Now()
		return ErrOver
	}
	var m lease.Manager = store
	if !watch {
		m = struct{ lease.Manager }{store}
	}
	_, stopNext := start(b, Config{Name: "takes over", Manager: m}, e)
	line.cut.Store(true)
	end := time.Now() // before Read, so that what is measured is never less than the truth
	record, err := store.Read(context.Background(), "billing")
	end = end.Add(record.Remaining)
	if err != nil || record.Term != 1 {
		b.Errorf("the store has %v, %v", record, err)
	}
	late := (<-next).Sub(end)
	if late < 0 {
		b.Errorf("the successor leads %v before the end of the lease", -late)
	}
	stop()
	stopNext()
	return late
}
