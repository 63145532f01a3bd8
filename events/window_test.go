package events

import (
	"context"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// These tests put a hub into the state that two goroutines reach only if they meet within a few instructions.

func quietHub(t *testing.T) *Hub {
	t.Helper()
	h, err := New(Config{Snapshot: func(string) iter.Seq[Transition] { return func(func(Transition) bool) {} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func quietSubscription(t *testing.T, h *Hub) *Subscription {
	t.Helper()
	s, err := h.Subscribe(t.Context(), Options{Policy: DropOldest})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheRelayHandsOutWhatIsThereEvenIfItHearsOfItsEndFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quietHub(t)
		s := newSubscription(h, Options{})
		r := newRelay(h)
		r.wake = nil // the relay sleeps, and chooses to hear quit
		r.add(s)
		go r.run()
		synctest.Wait()
		r.put(&Transition{Seq: 1, Key: "a"})
		r.stop()
		if s.Lag() != 1 {
			t.Error("the event before the end was not handed out")
		}
	})
}

func TestAReaderPassesOnTheSignalThatItCannotUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quietHub(t)
		s := quietSubscription(t, h)
		h.Publish(Transition{Seq: 1, Key: "a"})
		synctest.Wait()
		<-s.signal // a reader takes it, and then finds that its context has ended
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Next(ctx); err == nil {
			t.Error("an ended context took an event")
		}
		if len(s.signal) == 0 {
			t.Error("an event waits, and nobody would be woken")
		}
	})
}

func TestAReaderThatLeavesEventsBehindWakesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quietHub(t)
		s := quietSubscription(t, h)
		h.Publish(Transition{Seq: 1, Key: "a"})
		h.Publish(Transition{Seq: 2, Key: "a"})
		synctest.Wait()
		<-s.signal // one signal for two events: the reader that takes it, takes one event
		if e, err := s.Next(t.Context()); err != nil || e.Seq != 1 {
			t.Errorf("got %v and %v, want event 1", e, err)
		}
		if len(s.signal) == 0 {
			t.Error("an event waits, and nobody would be woken")
		}
	})
}

func TestTheRelayIsWokenHoweverCloseAnEventComesToItsLyingDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if everybody sleeps
		r := newRelay(&Hub{size: 2})
		var seen atomic.Uint64
		more := make(chan bool, 1)
		go func() {
			for r.wait() {
				r.cursor = r.ready.Load()
				seen.Store(r.cursor)
				select {
				case more <- true:
				default:
				}
			}
			close(r.done)
		}()
		for round := range uint64(20_000) {
			first := 2*round + 1
			r.put(&Transition{Seq: first})
			for i := runtime.GOMAXPROCS(0); seen.Load() < first && i > 1 && i < 20_000; i++ {
				continue // both are running now, if there are two processors
			}
			for range round % 32 {
				seen.Load() // so that the next comes at any time after the first
			}
			r.put(&Transition{Seq: first + 1})
			for seen.Load() < first+1 {
				<-more
			}
		}
		r.stop()
	})
}
