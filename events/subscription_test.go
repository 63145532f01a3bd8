package events_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
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

func TestWithTheLastSubscriberTheRelayEndsHoweverItLeaves(t *testing.T) {
	leave := map[string]func(t *testing.T, n *node){
		"closed": func(t *testing.T, n *node) {
			s := n.subscribe(events.Options{})
			s.Close()
			s.Close()
		},
		"context": func(t *testing.T, n *node) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s, err := n.hub.Subscribe(ctx, events.Options{})
			if err != nil {
				t.Fatal(err)
			}
			c := s.C()
			why := errors.New("enough")
			cancel(why)
			synctest.Wait()
			if !errors.Is(s.Err(), why) {
				t.Errorf("err %v, want the cause", s.Err())
			}
			if got, ok := <-c; ok {
				t.Errorf("%v was delivered after the context had ended", got)
			}
		},
		"break": func(t *testing.T, n *node) {
			n.add("a", "b")
			for range n.hub.Events(t.Context(), events.Options{}) {
				break
			}
		},
		"slow": func(t *testing.T, n *node) {
			n.subscribe(events.Options{Policy: events.Disconnect, Buffer: 1})
			n.move("a")
			n.move("a")
			n.move("a")
		},
		"panic in the loop": func(t *testing.T, n *node) {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			for range n.hub.Events(t.Context(), events.Options{}) {
				panic("subscriber")
			}
		},
	}
	for name, leave := range leave {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine remains
				n := newNode(t, 4)
				leave(t, n)
				synctest.Wait()
				if relays() > 0 {
					t.Error("the relay goes on with nobody to serve")
				}
				again := n.subscribe(events.Options{})
				for again.Lag() > 0 {
					next(t, again)
				}
				n.move("a")
				synctest.Wait()
				if got := next(t, again); got.Snapshot || got.Key != "a" {
					t.Errorf("a later subscriber got %v", got)
				}
			})
		})
	}
}

func TestCloseOfTheHubDeliversWhatWaitsAndThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		latest := n.subscribe(events.Options{Key: "a"})
		oldest := n.subscribe(events.Options{Policy: events.DropOldest, Buffer: 2})
		every := n.subscribe(events.Options{Policy: events.Disconnect}).C()
		for range 5 {
			n.move("a")
		}
		n.hub.Close()
		n.hub.Close()
		n.move("a") // after the end: nobody may see it, and nothing may break
		for name, want := range map[string][]uint64{"latest": {0, 5}, "oldest": {0, 4, 5}, "every": {0, 1, 2, 3, 4, 5}} {
			var got []events.Transition
			switch name {
			case "latest":
				got = slices.Collect(latest.All())
			case "oldest":
				got = slices.Collect(oldest.All())
			default:
				for e := range every {
					got = append(got, e)
				}
			}
			if !slices.Equal(seqs(got), want) {
				t.Errorf("%s got %v, want %v", name, seqs(got), want)
			}
		}
		if _, err := latest.Next(t.Context()); !errors.Is(err, events.ErrClosed) {
			t.Errorf("Next after the end: %v, want ErrClosed", err)
		}
		if _, err := n.hub.Subscribe(t.Context(), events.Options{}); !errors.Is(err, events.ErrClosed) {
			t.Errorf("Subscribe after Close: %v, want ErrClosed", err)
		}
		if got := slices.Collect(n.hub.Events(t.Context(), events.Options{})); len(got) > 0 {
			t.Errorf("Events after Close: %v, want none", got)
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

func TestBadOptionsAreRefusedAllAtOnce(t *testing.T) {
	n := newNode(t, 0)
	cases := []struct {
		o     events.Options
		fault string
	}{
		{events.Options{Key: "a\n"},
			"events: Key: lease: key \"a\\n\" has the byte 0x0a at position 1; printable ASCII only"},
		{events.Options{Buffer: 7}, "events: Buffer is 7, but Latest keeps one event for each key; leave it 0"},
		{events.Options{Policy: events.DropOldest, Buffer: -1},
			"events: Buffer -1 is not within 0..65536; 0 means 64"},
		{events.Options{Policy: events.Disconnect, Buffer: 1 << 17},
			"events: Buffer 131072 is not within 0..65536; 0 means 64"},
		{events.Options{Policy: 3, Buffer: -2}, "events: Policy 3 is not one of Latest, DropOldest, Disconnect\n" +
			"events: Buffer -2 is not within 0..65536; 0 means 64"},
	}
	for _, c := range cases {
		if _, err := n.hub.Subscribe(t.Context(), c.o); err == nil || err.Error() != c.fault {
			t.Errorf("%+v: got %v, want %s", c.o, err, c.fault)
		}
		func() {
			defer func() {
				if err, _ := recover().(error); err == nil || err.Error() != c.fault {
					t.Errorf("Events(%+v) panicked with %v, want %s", c.o, err, c.fault)
				}
			}()
			n.hub.Events(t.Context(), c.o)
		}()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := n.hub.Subscribe(ctx, events.Options{}); !errors.Is(err, why) {
		t.Errorf("with an ended context: %v, want its cause", err)
	}
}

func TestBadConfigurationIsRefusedAllAtOnce(t *testing.T) {
	_, err := events.New(events.Config{Ring: -1})
	want := "events: Ring -1 is not within 0..1048576; 0 means 1024\n" +
		"events: Snapshot is nil; subscriptions begin with the present state, say where it is"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := events.New(events.Config{Ring: events.MaxRing + 1, Snapshot: (&node{}).snapshot}); err == nil {
		t.Error("a ring beyond MaxRing was accepted")
	}
}

func TestAnEventOutOfOrderIsAFaultOfThePublisher(t *testing.T) {
	n := newNode(t, 0)
	n.move("a")
	for _, seq := range []uint64{0, 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("event %d after event 1 was accepted", seq)
				}
			}()
			n.hub.Publish(events.Transition{Seq: seq, Key: "a", To: fsm.Leader})
		}()
	}
}

func TestPoliciesHaveNames(t *testing.T) {
	for p, want := range map[events.Policy]string{
		events.Latest: "latest", events.DropOldest: "drop_oldest", events.Disconnect: "disconnect", 9: "unknown policy",
	} {
		if p.String() != want {
			t.Errorf("policy %d is %q, want %q", p, p, want)
		}
	}
}

// hooked is a context that counts who waits for its end.
type hooked struct {
	context.Context
	done  chan struct{}
	hooks atomic.Int64
}

func (h *hooked) Done() <-chan struct{} { return h.done }

func (h *hooked) AfterFunc(func()) (stop func() bool) {
	h.hooks.Add(1)
	return sync.OnceValue(func() bool {
		h.hooks.Add(-1)
		return true
	})
}

func TestASubscriptionThatHasEndedLeavesNothingOnItsContext(t *testing.T) {
	ends := map[string]func(n *node, s *events.Subscription){
		"closed":  func(_ *node, s *events.Subscription) { s.Close() },
		"drained": func(n *node, s *events.Subscription) { n.hub.Close() },
		"drained by channel": func(n *node, s *events.Subscription) {
			n.hub.Close()
			for range s.C() {
				continue
			}
		},
		"slow": func(n *node, s *events.Subscription) {
			for range 3 {
				n.move("a")
			}
		},
	}
	for name, end := range ends {
		n := newNode(t, 0)
		ctx := &hooked{Context: context.Background(), done: make(chan struct{})}
		s, err := n.hub.Subscribe(ctx, events.Options{Policy: events.Disconnect, Buffer: 1})
		if err != nil {
			t.Fatal(err)
		}
		if k := ctx.hooks.Load(); k != 1 {
			t.Errorf("%s: %d hooks at first, want 1", name, k)
		}
		end(n, s)
		if k := ctx.hooks.Load(); name == "closed" && k != 0 {
			t.Errorf("%d hooks after Close, want 0", k)
		}
		for err = nil; err == nil; {
			_, err = s.Next(t.Context())
		}
		if k := ctx.hooks.Load(); k != 0 {
			t.Errorf("%s: %d hooks at the end, want 0", name, k)
		}
	}
}
