package bench

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"
)

// BenchmarkElection measures what one election costs to have, among 1 000 and among 100 000 of one process.
func BenchmarkElection(b *testing.B) {
	roles := []struct {
		name  string
		start func(a arena, n int) (stop func())
	}{
		{"role=follower", func(a arena, n int) func() { return a.follow(n) }},
		{"role=leader", func(a arena, n int) func() { return a.lead(n, false) }},
		{"role=leader-with-work", func(a arena, n int) func() { return a.lead(n, true) }},
	}
	for _, role := range roles {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("%s/elections=%d", role.name, n), func(b *testing.B) {
				each(b, func(b *testing.B, p peer) {
					var bytes, goroutines float64
					for b.Loop() {
						before, routines := live(), runtime.NumGoroutine()
						stop := role.start(p.open(b), n)
						time.Sleep(500 * time.Millisecond) // what was started only to get here ends
						goroutines += float64(runtime.NumGoroutine() - routines)
						bytes += live() - before
						stop()
					}
					per := float64(b.N * n)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(bytes/per, "B/election")
					b.ReportMetric(goroutines/per, "goroutines/election")
				})
			})
		}
	}
}

// BenchmarkRenewal measures what a renewal costs, in real time, while one process leads 10 000 or 50 000 elections and
// renews each every 2 s. client-go keeps the electors that started together in step, so that they renew in bursts; a
// node spreads its renewals.
func BenchmarkRenewal(b *testing.B) {
	for _, n := range []int{10_000, 50_000} {
		b.Run(fmt.Sprintf("elections=%d", n), func(b *testing.B) {
			each(b, func(b *testing.B, p peer) { renewals(b, p, n) })
		})
	}
}

func renewals(b *testing.B, p peer, n int) {
	const settle, window = 3 * time.Second, 8 * time.Second
	var renewals, cpu, bytes, allocs float64
	for b.Loop() {
		a := p.open(b)
		stop := a.lead(n, false)
		time.Sleep(settle)
		runtime.GC()
		done, used, mem := a.writes(), cpuTime(b), memStats()
		time.Sleep(window)
		cpu += float64((cpuTime(b) - used).Microseconds())
		after := memStats()
		bytes += float64(after.TotalAlloc - mem.TotalAlloc)
		allocs += float64(after.Mallocs - mem.Mallocs)
		renewals += float64(a.writes() - done)
		stop()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(cpu/renewals, "cpu-us/renewal")
	b.ReportMetric(bytes/renewals, "B/renewal")
	b.ReportMetric(allocs/renewals, "allocs/renewal")
	b.ReportMetric(renewals/float64(b.N)/window.Seconds(), "renewals/s")
}

// live returns the bytes of heap and stacks in use after a garbage collection.
func live() float64 {
	// The first collection runs finalizers and empties pools by half, the second frees what that left.
	runtime.GC()
	runtime.GC()
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64()) + float64(samples[1].Value.Uint64())
}

func memStats() runtime.MemStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// cpuTime returns the processor time that this process has used.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
