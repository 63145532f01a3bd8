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
)

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
