package memory

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func TestRenewAllocatesNothing(t *testing.T) {
	m := &Manager{Quiet: true}
	l := acquire(t, m, "k", alice)
	stop, err := m.Watch("k", func(lease.Record) {})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if n := testing.AllocsPerRun(1000, func() {
		if err := m.Renew(bg, l, ttl); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("Renew allocates %v times; want 0", n)
	}
}

func TestAKeyCostsAtMostNinetyBytes(t *testing.T) {
	for _, n := range []int{50_000, 70_000, 100_000} {
		keys := names(n)
		m := &Manager{Quiet: true}
		m.Assign("first", "alice")
		before := live()
		for _, k := range keys {
			acquire(t, m, k, alice)
		}
		per := float64(live()-before) / float64(n)
		t.Logf("%d keys: %.1f B each", n, per)
		if per > 90 {
			t.Errorf("%d keys cost %.1f B each; want at most 90", n, per)
		}
		runtime.KeepAlive(m)
		runtime.KeepAlive(keys)
	}
}

func names(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("billing/eu-west/%06d", i)
	}
	return keys
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func BenchmarkAcquireReleased(b *testing.B) {
	m := &Manager{Quiet: true}
	b.ReportAllocs()
	for b.Loop() {
		l, err := m.Acquire(bg, "k", alice, ttl)
		if err == nil {
			err = m.Release(bg, l)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRenew renews 100 000 leases in turn from all processors.
func BenchmarkRenew(b *testing.B) {
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprintf("watched=%v", watched), func(b *testing.B) {
			m := &Manager{Quiet: true}
			leases := make([]lease.Lease, 100_000)
			for i, k := range names(len(leases)) {
				leases[i], _ = m.Acquire(bg, k, alice, time.Hour)
				if watched {
					stop, err := m.Watch(k, func(lease.Record) {})
					if err != nil {
						b.Fatal(err)
					}
					defer stop()
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := m.Renew(bg, leases[i%len(leases)], time.Hour); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkHandover is the way from a release to a successor's grant that waits on a watch.
func BenchmarkHandover(b *testing.B) {
	m := &Manager{Quiet: true}
	granted := make(chan lease.Lease)
	vacant := make(chan struct{}, 1)
	stop, err := m.Watch("k", func(r lease.Record) {
		if r.Vacant() {
			vacant <- struct{}{}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	go func() {
		for range vacant {
			l, _ := m.Acquire(bg, "k", bob, ttl)
			granted <- l
		}
		close(granted)
	}()
	for b.Loop() {
		l, err := m.Acquire(bg, "k", bob, ttl)
		if err == nil {
			err = m.Release(bg, l)
		}
		if err != nil {
			b.Fatal(err)
		}
		<-granted
	}
	close(vacant)
	<-granted
}
