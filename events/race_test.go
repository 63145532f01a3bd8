package events_test

import (
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-tenure/tenure/events"
)

// The tests of this file aim at windows of a few instructions, often enough that a hub that leaves one open is caught.

// relays counts the relay goroutines of the bubble that the caller is in. Only one test at a time is in a bubble.
func relays() (n int) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "synctest bubble") && strings.Contains(stack, "(*relay).run(") {
			n++
		}
	}
	return n
}

func TestTheFirstSubscriberOfAHubThatPublishesMissesNothing(t *testing.T) {
	var now atomic.Pointer[events.Transition]
	now.Store(&events.Transition{Key: "a"})
	h, err := events.New(events.Config{Snapshot: func(string) iter.Seq[events.Transition] {
		return func(yield func(events.Transition) bool) { yield(*now.Load()) }
	}})
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		for seq := uint64(1); !over.Load(); seq++ {
			e := events.Transition{Seq: seq, Key: "a"}
			now.Store(&e)
			h.Publish(e)
			if seq%64 == 0 {
				runtime.Gosched()
			}
		}
	}()
	for round := range 1500 {
		o := events.Options{Policy: events.DropOldest, Key: []string{"", "a"}[round%2]}
		s, err := h.Subscribe(t.Context(), o) // there is no relay yet, or no more
		if err != nil {
			t.Fatal(err)
		}
		for e := range s.All() {
			if gap := e.Seq - events.After(s) - 1; e.Seq > events.After(s) {
				if e.Missed != gap {
					t.Fatalf("round %d: of %d events before %v only %d are accounted for", round, gap, e, e.Missed)
				}
				break
			}
		}
	}
	over.Store(true)
	<-done
	h.Close()
}

func TestAnEventThatFindsTheRelayGoingToSleepIsDeliveredAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if everybody sleeps
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.DropOldest})
		next(t, s)
		for round := range 50_000 {
			want := n.move("a")
			for i := runtime.GOMAXPROCS(0); s.Lag() == 0 && i > 1 && i < 1000; i++ {
				continue // so as to be there as soon as the event is, when the relay is about to lie down
			}
			if e, err := s.Next(t.Context()); e != want || err != nil {
				t.Fatalf("got %v and %v, want %v", e, err, want)
			}
			for range round % 16 {
				_ = s.Lag()
			}
		}
	})
}

func TestAnEventThatIsPublishedJustBeforeCloseIsDelivered(t *testing.T) {
	for round := range 3000 {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.DropOldest})
		n.move("a")
		for e := range s.All() {
			if e.Seq == 1 {
				for range round % 50 {
					_ = s.Err() // a moment for the relay to lie down
				}
				n.move("a")
				n.hub.Close()
			}
			if e.Seq == 2 {
				n = nil
			}
		}
		if n != nil {
			t.Fatalf("round %d: the event before Close was not delivered", round)
		}
	}
}

func TestPublishAllocatesNothingForNobodyAndOneEventForEverybody(t *testing.T) {
	h, err := events.New(events.Config{Snapshot: (&node{}).snapshot})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	e := full
	publish := func() {
		e.Seq++
		h.Publish(e)
	}
	if got := testing.AllocsPerRun(1000, publish); got != 0 {
		t.Errorf("%v allocations without a subscriber, want 0", got)
	}
	for _, key := range []string{"", "a", "billing", "billing"} {
		if _, err := h.Subscribe(t.Context(), events.Options{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(1000, publish); got > 1 {
		t.Errorf("%v allocations with subscribers, want 1", got)
	}
}

func TestWhatWaitedWhenItWasClosedIsNotCountedAsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.DropOldest, Buffer: 2})
		for range 5 {
			n.move("a")
		}
		synctest.Wait()
		s.Close()
		if s.Dropped() != 3 || s.Lag() != 0 {
			t.Errorf("%d dropped and %d waiting, want 3 and 0", s.Dropped(), s.Lag())
		}
	})
}

func TestAStateIsMarkedAndNotAnEventWhateverThePublisherSaid(t *testing.T) {
	n := newNode(t, 0)
	n.state["a"] = events.Transition{Key: "a", Missed: 7}
	s := n.subscribe(events.Options{Policy: events.DropOldest})
	one := n.subscribe(events.Options{Key: "a", Policy: events.DropOldest})
	n.hub.Publish(events.Transition{Seq: 1, Key: "a", Snapshot: true, Missed: 7})
	n.hub.Close()
	for _, s := range []*events.Subscription{s, one} {
		got := slices.Collect(s.All())
		if want := []seen{{0, 0, "a", true}, {1, 0, "a", false}}; !slices.Equal(summary(got), want) {
			t.Errorf("got %v, want %v", summary(got), want)
		}
	}
}
