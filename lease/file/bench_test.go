package file

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
)

// What a call costs, and how much of that is waiting for the disk: without sync the same calls leave it to the system
// when to write. Set TMPDIR to measure another disk.
func BenchmarkCalls(b *testing.B) {
	for _, sync := range []bool{true, false} {
		path := b.TempDir()
		d := newDir(Config{}, path)
		d.sync = sync
		m, err := newManager(Config{}, d, bootclock.Domain(path))
		if err != nil {
			b.Fatal(err)
		}
		ctx := b.Context()
		b.Run(fmt.Sprintf("acquire/sync=%v", sync), func(b *testing.B) {
			for b.Loop() {
				acquire(b, m, alice) // the same holder gets it again
			}
		})
		b.Run(fmt.Sprintf("renew/sync=%v", sync), func(b *testing.B) {
			l := acquire(b, m, alice)
			for b.Loop() {
				if err := m.Renew(ctx, l, ttl); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("acquire and release/sync=%v", sync), func(b *testing.B) {
			for b.Loop() {
				if err := m.Release(ctx, acquire(b, m, alice)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	m := open(b, b.TempDir())
	acquire(b, m, alice)
	b.Run("refused acquire", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Acquire(b.Context(), key, bob, ttl); err == nil {
				b.Fatal("granted")
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Read(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// From the release by one Manager to the grant to another that watches.
func BenchmarkHandover(b *testing.B) {
	one, two := open(b, b.TempDir()), (*Manager)(nil)
	two = open(b, one.dir.path)
	vacant := make(chan struct{}, 1)
	stop, err := two.Watch(key, func(r lease.Record) {
		if r.Vacant() {
			select {
			case vacant <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	var total time.Duration
	for b.Loop() {
		l := acquire(b, one, alice)
		select {
		case <-vacant: // left over
		default:
		}
		start := time.Now()
		if err := one.Release(b.Context(), l); err != nil {
			b.Fatal(err)
		}
		<-vacant
		l = acquire(b, two, bob)
		total += time.Since(start)
		if err := two.Release(b.Context(), l); err != nil {
			b.Fatal(err)
		}
		<-vacant
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/handover")
}
