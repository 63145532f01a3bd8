package events_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-tenure/tenure/events"
)

// next takes one event that must be there already.
func next(t *testing.T, s *events.Subscription) events.Transition {
	t.Helper()
	if s.Lag() == 0 {
		t.Fatalf("nothing waits; err %v", s.Err())
	}
	got, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantSeq(t *testing.T, got events.Transition, seq, missed uint64) {
	t.Helper()
	if got.Seq != seq || got.Missed != missed {
		t.Errorf("got event %d after %d missed, want %d after %d: %v", got.Seq, got.Missed, seq, missed, got)
	}
}

func TestLatestKeepsTheNewestOfEachKeyInTheOrderOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{})
		for _, key := range []string{"a", "b", "a", "c", "a", "b"} { // 1..6
			n.move(key)
		}
		synctest.Wait()
		if s.Lag() != 4 {
			t.Errorf("%d wait, want the snapshot and one for each of 3 keys", s.Lag())
		}
		wantSeq(t, next(t, s), 0, 0)
		wantSeq(t, next(t, s), 4, 3) // c; 1, 2 and 3 were conflated
		wantSeq(t, next(t, s), 5, 0) // a
		wantSeq(t, next(t, s), 6, 0) // b
		n.move("a")
		n.move("a")
		synctest.Wait()
		wantSeq(t, next(t, s), 8, 1)
		if s.Dropped() != 4 {
			t.Errorf("%d dropped, want 4", s.Dropped())
		}
	})
}

func TestLatestOfOneKeyCountsOnlyThatKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		n.move("a")
		s := n.subscribe(events.Options{Key: "a"})
		for _, key := range []string{"b", "a", "b", "a", "b"} { // 2..6
			n.move(key)
		}
		synctest.Wait()
		if got := next(t, s); !got.Snapshot || got.Seq != 1 || got.Key != "a" {
			t.Errorf("first %+v, want the state after event 1", got)
		}
		wantSeq(t, next(t, s), 5, 1)
		if s.Lag() != 0 {
			t.Errorf("%d wait, want none", s.Lag())
		}
	})
}

func TestDropOldestKeepsTheNewestAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.DropOldest, Buffer: 3})
		for range 10 {
			n.move("a")
		}
		synctest.Wait()
		wantSeq(t, next(t, s), 0, 0)
		wantSeq(t, next(t, s), 8, 7)
		n.move("a")
		n.move("a")
		synctest.Wait()
		wantSeq(t, next(t, s), 10, 1)
		wantSeq(t, next(t, s), 11, 0)
		wantSeq(t, next(t, s), 12, 0)
		if s.Dropped() != 8 || s.Lag() != 0 {
			t.Errorf("%d dropped and %d waiting, want 8 and 0", s.Dropped(), s.Lag())
		}
	})
}

func TestDisconnectDeliversWhatWaitsAndEndsRatherThanLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.Disconnect, Buffer: 3})
		other := n.subscribe(events.Options{Policy: events.Disconnect, Buffer: 9})
		for range 5 {
			n.move("a")
		}
		synctest.Wait()
		if !errors.Is(s.Err(), events.ErrSlow) {
			t.Errorf("err %v, want ErrSlow", s.Err())
		}
		got, err := drain(t, s)
		if want := []uint64{0, 1, 2, 3}; !slices.Equal(seqs(got), want) || !errors.Is(err, events.ErrSlow) {
			t.Errorf("got %v and %v, want %v and ErrSlow", seqs(got), err, want)
		}
		if s.Dropped() == 0 {
			t.Error("the event that ended it is not counted")
		}
		if other.Err() != nil || other.Lag() != 6 {
			t.Errorf("another subscriber has %d waiting and err %v, want 6 and nil", other.Lag(), other.Err())
		}
	})
}

func TestAChannelReceivesWhatThePolicyKeptUntilThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		c := n.subscribe(events.Options{Key: "a"}).C()
		<-c
		for range 4 {
			n.move("a")
			synctest.Wait() // the goroutine behind the channel holds the event out each time
		}
		wantSeq(t, <-c, 4, 3)
		n.move("a")
		wantSeq(t, <-c, 5, 0)
	})
}

func TestCloseReturnsWhenTheChannelIsClosed(t *testing.T) {
	n := newNode(t, 0)
	n.subscribe(events.Options{}) // so that Close need not wait for the relay
	for range 100 {
		s := n.subscribe(events.Options{})
		c := s.C()
		s.Close()
		select {
		case e, ok := <-c:
			if ok {
				t.Fatalf("%v was delivered after Close", e)
			}
		default:
			t.Fatal("Close returned before the channel was closed")
		}
	}
}

func TestNextAndTheChannelShareTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{Policy: events.DropOldest})
		next(t, s)
		got := make(chan uint64, 100)
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for {
					e, err := s.Next(t.Context())
					if err != nil {
						if !errors.Is(err, events.ErrClosed) {
							t.Errorf("Next at the end of the channel: %v, want ErrClosed", err)
						}
						return
					}
					got <- e.Seq
				}
			})
		}
		synctest.Wait() // three wait in Next before there is a channel
		c := s.C()
		if s.C() != c {
			t.Error("C is not the same channel each time")
		}
		readers.Go(func() {
			for e := range c {
				got <- e.Seq
			}
		})
		for range 40 {
			n.move("a")
			synctest.Wait()
			if uint64(len(got)) != n.seq {
				t.Fatalf("event %d waits although five are waiting for it", n.seq)
			}
		}
		n.hub.Close()
		readers.Wait()
		close(got)
		times := map[uint64]int{}
		for seq := range got {
			times[seq]++
		}
		for seq := range n.seq {
			if times[seq+1] != 1 {
				t.Errorf("event %d was delivered %d times", seq+1, times[seq+1])
			}
		}
	})
}

func TestNextWithAnEndedContextTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		s := n.subscribe(events.Options{})
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if _, err := s.Next(ctx); !errors.Is(err, why) {
			t.Errorf("got %v, want the cause", err)
		}
		next(t, s)
		waiting, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.Next(waiting)
			done <- err
		}()
		synctest.Wait()
		cancel(why)
		if err := <-done; !errors.Is(err, why) {
			t.Errorf("got %v, want the cause", err)
		}
		n.move("a")
		synctest.Wait()
		wantSeq(t, next(t, s), 1, 0)
	})
}
