package memory

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// news watches a key and hands on what it is told.
func news(t *testing.T, m *Manager, key string) (<-chan lease.Record, func()) {
	t.Helper()
	told := make(chan lease.Record, 100)
	stop, err := m.Watch(key, func(r lease.Record) { told <- r })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return told, stop
}

// next returns what a watch tells next. The wait is in real time and only as long as it must be.
func next(t *testing.T, told <-chan lease.Record) lease.Record {
	t.Helper()
	select {
	case r := <-told:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the watch told nothing for 10 s")
		panic("unreachable")
	}
}

func silent(t *testing.T, told <-chan lease.Record, why string) {
	t.Helper()
	for range 100 {
		runtime.Gosched()
	}
	select {
	case r := <-told:
		t.Fatalf("%s: told of %+v; want silence", why, r)
	default:
	}
}

func TestAWatchTellsEveryChangeOfHands(t *testing.T) {
	m, clk := virtual()
	told, _ := news(t, m, "k")
	silent(t, told, "a key never held")
	l := acquire(t, m, "k", alice)
	if r := next(t, told); r.Lease != l || r.Remaining != ttl {
		t.Errorf("a grant was told as %+v", r)
	}
	if err := m.Renew(bg, l, ttl); err != nil {
		t.Fatal(err)
	}
	acquire(t, m, "other", bob)
	silent(t, told, "a renewal, and another key")
	if err := m.Release(bg, l); err != nil {
		t.Fatal(err)
	}
	if r := next(t, told); !r.Holder.IsZero() || r.Term != l.Term || !r.Vacant() {
		t.Errorf("a release was told as %+v", r)
	}
	l = acquire(t, m, "k", bob)
	if r := next(t, told); r.Lease != l {
		t.Errorf("the next grant was told as %+v", r)
	}
	m.Assign("k", "alice")
	if r := next(t, told); r.Holder.Name != "alice" || r.Term != l.Term+1 || !r.Vacant() {
		t.Errorf("Assign was told as %+v; want alice, free to be taken", r)
	}
	l = acquire(t, m, "k", alice)
	next(t, told)
	clk.Add(ttl)
	if r := next(t, told); r.Lease != l || !r.Vacant() {
		t.Errorf("running out was told as %+v", r)
	}
	silent(t, told, "nothing more to tell")
}

func TestAWatchBeginsWithThePresentRecord(t *testing.T) {
	m, _ := virtual()
	l := acquire(t, m, "k", alice)
	told, _ := news(t, m, "k")
	if r := next(t, told); r.Lease != l || r.Remaining != ttl {
		t.Errorf("first told of %+v", r)
	}
	m.Assign("aside", "bob")
	told, _ = news(t, m, "aside")
	if r := next(t, told); r.Holder.Name != "bob" {
		t.Errorf("first told of %+v", r)
	}
}

func TestRunningOutIsToldAtTheLatestEnd(t *testing.T) {
	m, clk := virtual()
	l := acquire(t, m, "k", alice)
	told, _ := news(t, m, "k")
	next(t, told)
	for range 5 {
		clk.Add(ttl / 2)
		if err := m.Renew(bg, l, ttl); err != nil {
			t.Fatal(err)
		}
	}
	clk.Add(ttl - 1)
	silent(t, told, "a nanosecond before the end")
	clk.Add(1)
	if r := next(t, told); !r.Vacant() {
		t.Errorf("at the end: told of %+v", r)
	}
}

func TestAShorterRenewalIsToldAtItsEnd(t *testing.T) {
	m, clk := virtual()
	l := acquire(t, m, "k", alice)
	told, _ := news(t, m, "k")
	next(t, told)
	if err := m.Renew(bg, l, time.Second); err != nil {
		t.Fatal(err)
	}
	clk.Add(time.Second)
	if r := next(t, told); !r.Vacant() {
		t.Errorf("told of %+v", r)
	}
}

func TestAStoppedWatchIsSilentAndLeavesTheOthers(t *testing.T) {
	m, _ := virtual()
	a, stopA := news(t, m, "k")
	b, stopB := news(t, m, "k")
	c, _ := news(t, m, "k")
	stopB()
	stopB()
	acquire(t, m, "k", alice)
	next(t, a)
	next(t, c)
	silent(t, b, "stopped")
	stopA()
	m.Assign("k", "bob")
	next(t, c)
	silent(t, a, "stopped")
}

func TestStopWaitsForTheCallThatRuns(t *testing.T) {
	m, _ := virtual()
	entered, leave := make(chan struct{}), make(chan struct{})
	var returned atomic.Bool
	stop, err := m.Watch("k", func(lease.Record) {
		close(entered)
		<-leave
		returned.Store(true)
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Assign("k", "alice")
	<-entered
	m.Assign("k", "bob") // must not be told any more
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			stop()
			if !returned.Load() {
				t.Error("stop returned while changed was running")
			}
		})
	}
	watched := func() bool {
		s := m.shard("k")
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.keys["k"].watches != nil
	}
	for watched() { // until the first stop waits
		runtime.Gosched()
	}
	l := acquire(t, m, "other", alice) // nothing else waits
	if err := m.Release(bg, l); err != nil {
		t.Error(err)
	}
	close(leave)
	wg.Wait()
}

func TestACallbackThatEndsItsGoroutineDoesNotWedgeTheWatch(t *testing.T) {
	m, _ := virtual()
	calls := make(chan lease.Record, 10)
	stop, err := m.Watch("k", func(r lease.Record) {
		calls <- r
		runtime.Goexit()
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Assign("k", "alice")
	next(t, calls)
	m.Assign("k", "bob")
	if r := next(t, calls); r.Holder.Name != "bob" {
		t.Errorf("told of %+v", r)
	}
	stop()
}

func TestAWatchedKeyThatWasNeverHeldIsForgotten(t *testing.T) {
	m, _ := virtual()
	_, stop := news(t, m, "k")
	stop()
	if n := len(m.shard("k").keys); n != 0 {
		t.Errorf("%d records remain", n)
	}
}

func TestOneTimerServesAllWatchesAndNoneRemains(t *testing.T) {
	clk := &collecting{Clock: clock.New()}
	m := &Manager{Clock: clk, Quiet: true}
	var stops []func()
	for i := range 60 {
		key := string(rune('A' + i))
		if _, err := m.Acquire(bg, key, alice, time.Hour-time.Duration(i)*time.Minute/2); err != nil {
			t.Fatal(err)
		}
		_, stop := news(t, m, key)
		stops = append(stops, stop)
	}
	last := len(clk.timers) - 1
	for i, timer := range clk.timers {
		if i < last && timer.Stop() {
			t.Errorf("timer %d of %d was left pending beside a later one", i, last)
		}
	}
	for _, stop := range stops {
		stop()
	}
	if clk.timers[last].Stop() {
		t.Error("a timer remains after the last stop")
	}
}

// collecting keeps the timers it hands out.
type collecting struct {
	clock.Clock
	timers []*clock.Timer
}

func (c *collecting) AfterFunc(d time.Duration, f func()) *clock.Timer {
	t := c.Clock.AfterFunc(d, f)
	c.timers = append(c.timers, t)
	return t
}

func TestWatchesUnderChurnEndWithTheNewestRecord(t *testing.T) {
	m := &Manager{Quiet: true}
	const keys, watchers = 4, 4
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range watchers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				var busy atomic.Int32
				var term lease.Term
				stop, err := m.Watch(string(rune('a'+rng.IntN(keys))), func(r lease.Record) {
					if busy.Add(1) != 1 || r.Term < term {
						t.Errorf("calls overlap or go back: term %d after %d", r.Term, term)
					}
					term = r.Term
					busy.Add(-1)
				})
				if err != nil {
					t.Error(err)
					return
				}
				for range rng.IntN(20) {
					runtime.Gosched()
				}
				stop()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	newest := make([]<-chan lease.Record, keys)
	for k := range keys {
		last := make(chan lease.Record, 1)
		stop, err := m.Watch(string(rune('a'+k)), func(r lease.Record) {
			select {
			case <-last:
			default:
			}
			last <- r
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		newest[k] = last
	}
	rng := rand.New(rand.NewPCG(2, 2))
	want := make([]lease.Term, keys)
	for range 2000 {
		k := rng.IntN(keys)
		l, err := m.Acquire(bg, string(rune('a'+k)), alice, time.Duration(1+rng.IntN(1000))*time.Microsecond)
		if err != nil {
			t.Fatal(err)
		}
		want[k] = l.Term
		if rng.IntN(2) == 0 {
			_ = m.Release(bg, l) // it may have run out already
		}
	}
	close(done)
	wg.Wait()
	for k := range keys {
		for r := (lease.Record{}); r.Term < want[k] || !r.Vacant(); {
			r = next(t, newest[k])
		}
	}
}
