package actor

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// These are about real time: they run on the real clock and take the time that they measure.

// start runs a node with the elections and returns it and how to end it.
func start(b *testing.B, c Config, elections ...Election) (n *Node, stop func()) {
	b.Helper()
	n, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range elections {
		if _, err := n.Campaign(e); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := n.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	return n, func() { cancel(); done.Wait() }
}

// BenchmarkHandover measures how long it takes from the call of HandOver until the work of the successor runs, on
// another node. Target: less than 1 ms.
func BenchmarkHandover(b *testing.B) {
	store := &memory.Manager{Quiet: true}
	began := make(chan int)
	var nodes []*Node
	for i := range 2 {
		lead := func(ctx context.Context, _ *Tenure) error {
			select {
			case began <- i:
				<-ctx.Done()
			case <-ctx.Done(): // the measuring is over
			}
			return nil
		}
		n, stop := start(b, Config{Name: fmt.Sprint(i), Manager: store}, Election{Key: "billing", Lead: lead})
		defer stop()
		nodes = append(nodes, n)
	}
	leads := <-began
	var took []time.Duration
	for b.Loop() {
		for follower := nodes[1-leads].Find("billing"); follower.Status().Leader != nodes[leads].Holder(); {
			runtime.Gosched() // until it has seen who leads, as it has in all but this case
		}
		asked := time.Now()
		if err := nodes[leads].Find("billing").HandOver(); err != nil {
			b.Fatal(err)
		}
		leads = <-began
		took = append(took, time.Since(asked))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "us-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "us-p99")
	b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1000, "us-at-most")
}

// lateness measures how late renewals are sent, by the length that the election has set itself.
type lateness struct {
	*memory.Manager
	every time.Duration
	mu    sync.Mutex
	last  map[string]time.Time
	count atomic.Int64
	worst atomic.Int64
}

func (l *lateness) Renew(ctx context.Context, le lease.Lease, ttl time.Duration) error {
	now := time.Now()
	l.mu.Lock()
	late := now.Sub(l.last[le.Key]) - l.every
	l.last[le.Key] = now
	l.mu.Unlock()
	l.count.Add(1)
	for {
		worst := l.worst.Load()
		if int64(late) <= worst || l.worst.CompareAndSwap(worst, int64(late)) {
			break
		}
	}
	return l.Manager.Renew(ctx, le, ttl)
}

// BenchmarkRenewals has two nodes lead 50 000 elections each over lease/memory, every lease renewed every 2 s. Targets:
// 400 B live for each election, all included; 100 MB resident; a quarter of one core; no renewal more than 100 ms late.
// One round takes 20 s. watch=false has a Manager that cannot be watched. Measuring lateness needs memory and time of
// its own, so it has a round of its own.
func BenchmarkRenewals(b *testing.B) {
	for _, watch := range []bool{true, false} {
		for _, late := range []bool{false, true} {
			b.Run(fmt.Sprintf("watch=%v/lateness=%v", watch, late), func(b *testing.B) { renewals(b, watch, late) })
		}
	}
}

func renewals(b *testing.B, watch, late bool) {
	// Jitter shortens every by up to a fifth: 2 s on average.
	const each, every, settle, window = 50_000, 2220 * time.Millisecond, 8 * time.Second, 12 * time.Second
	for b.Loop() {
		before := liveBytes()
		store := &memory.Manager{Quiet: true}
		var m lease.Manager = store
		probe := &lateness{Manager: store, every: every}
		if late {
			probe.last = make(map[string]time.Time, 2*each)
			m = probe
		}
		if !watch {
			m = struct{ lease.Manager }{m}
		}
		won, lost, all := atomic.Int64{}, atomic.Int64{}, make(chan struct{})
		var stops []func()
		for i := range 2 {
			hooks := Hooks{Moved: func(t events.Transition) {
				switch {
				case t.Kind == events.Moved && t.To == fsm.Leader && won.Add(1) == 2*each:
					close(all)
				case t.From == fsm.Leader && t.Reason != fsm.Stopped:
					lost.Add(1)
				}
			}}
			n, stop := start(b, Config{Name: fmt.Sprint("node-", i), Manager: m, Hooks: hooks})
			for j := range each {
				e := Election{Key: fmt.Sprintf("key-%d-%d", i, j), Timing: fsm.Timing{TTL: 3 * every, Renew: every}}
				if _, err := n.Campaign(e); err != nil {
					b.Fatal(err)
				}
			}
			stops = append(stops, stop)
		}
		<-all
		time.Sleep(settle)
		live := liveBytes() - before
		probe.worst.Store(0)
		probe.count.Store(0)
		cpu, began := cpuTime(b), time.Now()
		time.Sleep(window)
		cores := (cpuTime(b) - cpu).Seconds() / time.Since(began).Seconds()
		rss := resident(b)
		worst, count := time.Duration(probe.worst.Load()), probe.count.Load()
		for _, stop := range stops {
			stop()
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(lost.Load()), "terms-lost")
		if late {
			b.ReportMetric(float64(worst.Milliseconds()), "ms-late-at-most")
			b.ReportMetric(float64(count)/window.Seconds(), "renewals/s")
			continue
		}
		b.ReportMetric(live/(2*each), "B/election")
		b.ReportMetric(rss/1e6, "MB-resident")
		b.ReportMetric(cores, "cores")
	}
}

// BenchmarkIdleFollowers has one node follow in 1 000 000 elections that somebody else leads for long. Target: 600 MB
// resident. It is measured twice: at first, with what the runtime keeps for itself after the million elections have
// begun all at once, and after that has been given back.
func BenchmarkIdleFollowers(b *testing.B) {
	const n = 1_000_000
	for _, watch := range []bool{true, false} {
		b.Run(fmt.Sprintf("watch=%v", watch), func(b *testing.B) {
			for b.Loop() {
				before := liveBytes()
				store := &memory.Manager{Quiet: true}
				var m lease.Manager = store
				if !watch {
					m = struct{ lease.Manager }{store}
				}
				other := lease.Holder{Name: "other", Incarnation: lease.NewIncarnation()}
				node, stop := start(b, Config{Name: "node-a", Manager: m})
				for i := range n {
					key := fmt.Sprintf("key-%d", i)
					if _, err := store.Acquire(context.Background(), key, other, 24*time.Hour); err != nil {
						b.Fatal(err)
					}
					e := Election{Key: key, Timing: fsm.Timing{TTL: time.Minute, Poll: 10 * time.Minute}}
					if _, err := node.Campaign(e); err != nil {
						b.Fatal(err)
					}
				}
				for c := range node.Campaigns() {
					for c.Status().Reason != fsm.Held {
						time.Sleep(10 * time.Millisecond)
					}
				}
				live := liveBytes() - before
				first := resident(b)
				debug.FreeOSMemory() // what the runtime keeps of the crowd at the beginning, for a heap twice as large
				rss := resident(b)
				stop()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(live/n, "B/election")
				b.ReportMetric(first/1e6, "MB-resident-at-first")
				b.ReportMetric(rss/1e6, "MB-resident")
			}
		})
	}
}

// liveBytes is what is in use after a collection: heap and stacks.
func liveBytes() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the resident memory of this process in bytes.
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscan(after, &kb); err != nil {
		b.Fatal(err)
	}
	return kb * 1024
}
