package events_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

func benchHub(b *testing.B) *events.Hub {
	b.Helper()
	h, err := events.New(events.Config{Snapshot: func(string) iter.Seq[events.Transition] {
		return func(func(events.Transition) bool) {}
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.Close)
	return h
}

func benchEvent(seq uint64) events.Transition {
	return events.Transition{
		Seq: seq, Node: "node-a", Key: "billing", From: fsm.Acquiring, To: fsm.Leader, Reason: fsm.Won, Term: 7,
		Leader: lease.Holder{Name: "node-a", Incarnation: "DXNJ7AQN4LRWJ3BUHQ0K6Z5V2P"},
	}
}

func percentile(d []time.Duration, p float64) float64 {
	slices.Sort(d)
	return float64(d[int(float64(len(d)-1)*p)].Nanoseconds())
}

// The cost when nobody listens: what every election pays for being observable.
func BenchmarkPublishToNobody(b *testing.B) {
	h := benchHub(b)
	b.ReportAllocs()
	var seq uint64
	for b.Loop() {
		seq++
		h.Publish(benchEvent(seq))
	}
}

// One event at a time to subscribers that all wait for it: how long the publisher is held up, and how long until
// the last subscriber has it.
func BenchmarkPublishToReaders(b *testing.B) {
	for _, n := range []int{1, 10, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := benchHub(b)
			var readers, round sync.WaitGroup
			ctx, stop := context.WithCancel(context.Background())
			for range n {
				s, err := h.Subscribe(ctx, events.Options{Key: "billing", Policy: events.DropOldest})
				if err != nil {
					b.Fatal(err)
				}
				readers.Go(func() {
					for t := range s.All() {
						if !t.Snapshot {
							round.Done()
						}
					}
				})
			}
			runtime.GC()
			b.ReportAllocs()
			var held, arrived []time.Duration
			var seq uint64
			for b.Loop() {
				seq++
				round.Add(n)
				e := benchEvent(seq)
				start := time.Now()
				h.Publish(e)
				held = append(held, time.Since(start))
				round.Wait()
				arrived = append(arrived, time.Since(start))
			}
			b.ReportMetric(percentile(held, 0.50), "p50-publish-ns")
			b.ReportMetric(percentile(held, 0.99), "p99-publish-ns")
			b.ReportMetric(percentile(arrived, 0.50), "p50-all-have-it-ns")
			b.ReportMetric(percentile(arrived, 0.99), "p99-all-have-it-ns")
			stop()
			readers.Wait()
		})
	}
}

// Events as fast as they can be published, to subscribers that never read: the relay is never idle, and nobody
// keeps up.
func BenchmarkPublishFlood(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := benchHub(b)
			for range n {
				if _, err := h.Subscribe(b.Context(), events.Options{Key: "billing"}); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			b.ReportAllocs()
			held := make([]time.Duration, 0, 1<<20)
			var seq uint64
			for b.Loop() {
				seq++
				e := benchEvent(seq)
				start := time.Now()
				h.Publish(e)
				if d := time.Since(start); len(held) < cap(held) {
					held = append(held, d)
				}
			}
			b.ReportMetric(percentile(held, 0.50), "p50-publish-ns")
			b.ReportMetric(percentile(held, 0.99), "p99-publish-ns")
		})
	}
}

// What one subscription costs in memory while it waits for events, without the goroutine of its reader.
func BenchmarkMemoryOfSubscription(b *testing.B) {
	h := benchHub(b)
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	subs := make([]*events.Subscription, b.N)
	for i := range subs {
		s, err := h.Subscribe(b.Context(), events.Options{Key: "billing"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		subs[i] = s
	}
	b.ReportMetric(float64(live()-before)/float64(b.N), "live-B/subscription")
	runtime.KeepAlive(subs)
}

// Coming and going.
func BenchmarkSubscribe(b *testing.B) {
	h := benchHub(b)
	keep, err := h.Subscribe(b.Context(), events.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer keep.Close()
	b.ReportAllocs()
	for b.Loop() {
		s, err := h.Subscribe(b.Context(), events.Options{Key: "billing"})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
