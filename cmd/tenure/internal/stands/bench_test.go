//go:build linux

package stands

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// each runs a benchmark on every store. They all run on loopback and on one machine with their servers: what they say
// of one store against another is what the client, the protocol and the number of round trips cost.
func each(b *testing.B, f func(b *testing.B, s *Stand)) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			k, err := Find(name)
			if err != nil {
				b.Fatal(err)
			}
			s, err := Open(b.Context(), k)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			f(b, s)
		})
	}
}

func client(b *testing.B, s *Stand) *store.Store {
	b.Helper()
	m, err := store.Open(s.Address())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	return m
}

// latencies are of single calls or of whole changes of hands.
type latencies []time.Duration

func (l *latencies) time(b *testing.B, f func() error) {
	b.Helper()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	*l = append(*l, time.Since(start))
}

func (l latencies) report(b *testing.B, unit time.Duration, name string) {
	if len(l) == 0 {
		return
	}
	slices.Sort(l)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(l[(len(l)*p+99)/100-1])/float64(unit), fmt.Sprintf("p%d-%s", p, name))
	}
}

// BenchmarkCalls times the three calls, one after the other, on one connection.
func BenchmarkCalls(b *testing.B) {
	each(b, func(b *testing.B, s *Stand) {
		m, h := client(b, s), lease.Holder{Name: "a", Incarnation: lease.NewIncarnation()}
		var acquire, renew, release latencies
		ctx := b.Context()
		for b.Loop() {
			var l lease.Lease
			acquire.time(b, func() (err error) { l, err = m.Acquire(ctx, "billing", h, 15*time.Second); return err })
			renew.time(b, func() error { return m.Renew(ctx, l, 15*time.Second) })
			release.time(b, func() error { return m.Release(ctx, l) })
		}
		acquire.report(b, time.Microsecond, "acquire-us")
		renew.report(b, time.Microsecond, "renew-us")
		release.report(b, time.Microsecond, "release-us")
	})
}

// BenchmarkRenewals has one process renew the leases of a thousand elections, 32 at a time.
func BenchmarkRenewals(b *testing.B) {
	each(b, func(b *testing.B, s *Stand) {
		m, h := client(b, s), lease.Holder{Name: "a", Incarnation: lease.NewIncarnation()}
		leases := make([]lease.Lease, 1000)
		all := func(f func(i int) error) {
			var next atomic.Int64
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(len(leases)); i = next.Add(1) - 1 {
						if err := f(int(i)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		}
		ttl := time.Minute
		if l, ok := m.Manager.(lease.Limiter); ok && l.Limits().MaxTTL > 0 {
			ttl = min(ttl, l.Limits().MaxTTL)
		}
		all(func(i int) (err error) {
			leases[i], err = m.Acquire(b.Context(), fmt.Sprintf("job-%d", i), h, ttl)
			return err
		})
		for b.Loop() {
			all(func(i int) error { return m.Renew(b.Context(), leases[i], ttl) })
		}
		b.ReportMetric(float64(b.N*len(leases))/b.Elapsed().Seconds(), "renewals/s")
	})
}

// stander is a node of this process with one election.
type stander struct {
	campaign *actor.Campaign
	led      chan time.Time
	calls    atomic.Int64
	stop     func()
}

func stand(b *testing.B, s *Stand, name string, ttl time.Duration) *stander {
	b.Helper()
	st := &stander{led: make(chan time.Time, 1)}
	n, err := actor.New(actor.Config{Name: name, Manager: client(b, s).Manager, Hooks: actor.Hooks{
		Called: func(string, fsm.Op, time.Duration, error) { st.calls.Add(1) },
	}})
	if err != nil {
		b.Fatal(err)
	}
	st.campaign, err = n.Campaign(actor.Election{Key: "billing", TTL: ttl,
		Lead: func(ctx context.Context, _ *actor.Tenure) error {
			st.led <- time.Now()
			<-ctx.Done()
			return nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	st.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(st.stop)
	return st
}

// BenchmarkHandover is the time from the resignation of a leader until the work of its successor runs.
func BenchmarkHandover(b *testing.B) {
	each(b, func(b *testing.B, s *Stand) {
		a, c := stand(b, s, "a", s.TTL), stand(b, s, "b", s.TTL)
		var took latencies
		leader, other := a, c
		select {
		case <-a.led:
		case <-c.led:
			leader, other = c, a
		}
		for b.Loop() {
			start := time.Now()
			if err := leader.campaign.HandOver(); err != nil {
				b.Fatal(err)
			}
			took = append(took, (<-other.led).Sub(start))
			leader, other = other, leader
		}
		took.report(b, time.Microsecond, "handover-us")
		a.stop()
		c.stop()
	})
}

// BenchmarkIdle counts what a follower asks of the store while somebody else leads, for each minute at a TTL of 15 s.
func BenchmarkIdle(b *testing.B) {
	each(b, func(b *testing.B, s *Stand) {
		leader := stand(b, s, "a", s.TTL)
		<-leader.led
		follower := stand(b, s, "b", s.TTL)
		before := follower.calls.Load()
		const leases = 3
		for b.Loop() {
			time.Sleep(leases * s.TTL)
		}
		perTTL := float64(follower.calls.Load()-before) / float64(b.N*leases)
		b.ReportMetric(perTTL*4, "requests/follower-min")
		leader.stop()
		follower.stop()
	})
}
