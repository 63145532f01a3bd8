package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// BenchmarkHandover measures how long it takes, in virtual time, from asking a leader to leave until its successor's
// work runs: 200 successions between two processes.
func BenchmarkHandover(b *testing.B) {
	const rounds = 200
	each(b, func(b *testing.B, p peer) {
		var took []time.Duration
		for b.Loop() {
			bubble(b, func(t *testing.T) {
				for range rounds {
					took = append(took, newContest(p.open(t), 2).handOver())
				}
			})
		}
		reportTimes(b, took)
	})
}

// BenchmarkHandoverReal is BenchmarkHandover on the real clock, three rounds.
func BenchmarkHandoverReal(b *testing.B) {
	each(b, func(b *testing.B, p peer) {
		var took []time.Duration
		for b.Loop() {
			for range 3 {
				took = append(took, newContest(p.open(b), 2).handOver())
			}
		}
		reportTimes(b, took)
	})
}

// BenchmarkFailover measures, in virtual time, from cutting a leader off until its successor's work runs, and the same
// from the end of the leader's lease: 200 rounds, each cut at another moment between two renewals.
func BenchmarkFailover(b *testing.B) {
	const rounds = 200
	each(b, func(b *testing.B, p peer) {
		var took, late []time.Duration
		for b.Loop() {
			bubble(b, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 1))
				for range rounds {
					c := newContest(p.open(t), 2)
					time.Sleep(time.Duration(random.Int64N(int64(2 * renewEvery))))
					x, y := c.failOver()
					took, late = append(took, x), append(late, y)
					c.end()
				}
			})
		}
		reportTimes(b, took)
		b.ReportMetric(ms(slices.Max(late)), "late-max-ms")
	})
}

// BenchmarkSimulation measures how much virtual time passes in a real second in a test of three processes: every
// minute of ten the leader is cut off, another takes over, and the first comes back.
func BenchmarkSimulation(b *testing.B) {
	const minutes = 10
	each(b, func(b *testing.B, p peer) {
		var simulated time.Duration
		for b.Loop() {
			bubble(b, func(t *testing.T) {
				start := time.Now()
				c := newContest(p.open(t), 3)
				for m := range minutes {
					gone := c.leader
					c.failOver()
					time.Sleep(renewDeadline)
					c.members[gone].cut(false)
					time.Sleep(time.Until(start.Add(time.Duration(m+1) * time.Minute)))
				}
				simulated += time.Since(start)
				c.end()
			})
		}
		b.ReportMetric(simulated.Seconds()/b.Elapsed().Seconds(), "sim-s/s")
		b.ReportMetric(0, "ns/op")
	})
}

// A contest is some processes that stand for one key, one of which leads.
type contest struct {
	arena   arena
	members []member
	led     chan int // which member began to lead
	leader  int      // who leads, as far as led has been read
}

// newContest lets n processes join and returns when one leads and the others have seen it.
func newContest(a arena, n int) *contest {
	c := &contest{arena: a, led: make(chan int, 1)}
	for i := range n {
		c.members = append(c.members, a.join("node-"+strconv.Itoa(i), func(ctx context.Context) {
			c.led <- i
			<-ctx.Done()
		}))
		if i == 0 {
			c.leader = <-c.led
		}
	}
	time.Sleep(100 * time.Millisecond)
	return c
}

// handOver asks the leader to leave and returns how long the key was without a leader. The contest is over then.
func (c *contest) handOver() time.Duration {
	start := time.Now()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.members[c.leader].leave()
	}()
	next := <-c.led
	took := time.Since(start)
	<-gone
	c.members[next].leave()
	return took
}

// failOver cuts the leader off and returns how long it took until another led, from the cut and from the end of the
// lease.
func (c *contest) failOver() (took, late time.Duration) {
	end := c.arena.leaseEnd()
	c.members[c.leader].cut(true)
	start := time.Now()
	c.leader = <-c.led
	return time.Since(start), time.Since(end)
}

// end makes everybody leave, the leader last, so that nobody takes over meanwhile.
func (c *contest) end() {
	for i, m := range c.members {
		if i != c.leader {
			m.leave()
		}
	}
	c.members[c.leader].leave()
}

// bubble runs f in virtual time. testing/synctest asks for a *testing.T, which a benchmark does not have.
func bubble(b *testing.B, f func(*testing.T)) {
	ran := false
	test := func(t *testing.T) {
		if !ran { // and not again for each -count and -cpu
			ran = true
			synctest.Test(t, f)
		}
	}
	all := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: b.Name(), F: test}}) {
		b.FailNow()
	}
}

// reportTimes reports the median and the greatest.
func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
