package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// billing is a publisher with one election, as small as can be. In a program the node is the publisher.
type billing struct {
	hub *events.Hub
	now atomic.Pointer[events.Transition]
}

func newBilling() *billing {
	b := &billing{}
	b.now.Store(&events.Transition{Node: "node-a", Key: "billing"})
	hub, err := events.New(events.Config{
		Node:     "node-a",
		Snapshot: func(string) iter.Seq[events.Transition] { return slices.Values([]events.Transition{*b.now.Load()}) },
	})
	if err != nil {
		panic(err)
	}
	b.hub = hub
	return b
}

// move makes the new state visible first, and then publishes it.
func (b *billing) move(to fsm.State, why fsm.Reason, term lease.Term) {
	t := *b.now.Load()
	t.Seq, t.From, t.To, t.Reason, t.Term = t.Seq+1, t.To, to, why, term
	b.now.Store(&t)
	b.hub.Publish(t)
}

// elect makes the node a leader.
func (b *billing) elect() {
	b.move(fsm.Acquiring, fsm.Due, 0)
	b.move(fsm.Leader, fsm.Won, 7)
}

func Example() {
	b := newBilling()
	s, err := b.hub.Subscribe(context.Background(), events.Options{Key: "billing", Policy: events.DropOldest})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.elect()
	b.hub.Close()
	for t := range s.All() {
		fmt.Println(t)
	}
	fmt.Println(s.Err())
	// Output:
	// #0 billing: is follower
	// #1 billing: follower -> acquiring (due)
	// #2 billing: acquiring -> leader (won), term 7
	// events: closed
}

func ExampleNew() {
	_, err := events.New(events.Config{Ring: -1})
	fmt.Println(err)
	// Output:
	// events: Ring -1 is not within 0..1048576; 0 means 1024
	// events: Snapshot is nil; subscriptions begin with the present state, say where it is
}

// Publishing never waits: not for the one who subscribed and never reads, nor for the reader who comes too late.
func ExampleHub_Publish() {
	b := newBilling()
	defer b.hub.Close()
	_, _ = b.hub.Subscribe(context.Background(), events.Options{})
	b.elect()
	b.move(fsm.Releasing, fsm.Resigned, 7)
	fmt.Println("nobody was waited for")
	// Output: nobody was waited for
}

// With Disconnect every event is seen, or the end.
func ExampleHub_Subscribe() {
	b := newBilling()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := b.hub.Subscribe(ctx, events.Options{Policy: events.Disconnect, Buffer: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.elect() // two events, and room for one
	b.hub.Close()
	for t := range s.All() {
		fmt.Println(t)
	}
	fmt.Println(errors.Is(s.Err(), events.ErrSlow))
	// Output:
	// #0 billing: is follower
	// #1 billing: follower -> acquiring (due)
	// true
}

// A subscription that begins late begins with how things are. Leaving the loop ends it.
func ExampleHub_Events() {
	b := newBilling()
	defer b.hub.Close()
	b.elect()
	for t := range b.hub.Events(context.Background(), events.Options{Key: "billing"}) {
		fmt.Println(t)
		if t.To == fsm.Leader {
			break
		}
	}
	// Output: #2 billing: is leader, term 7
}

func ExampleHub_Close() {
	b := newBilling()
	b.hub.Close()
	_, err := b.hub.Subscribe(context.Background(), events.Options{})
	fmt.Println(err)
	// Output: events: closed
}

func ExampleOptions_Check() {
	fmt.Println(events.Options{Key: "billing", Policy: events.DropOldest, Buffer: 16}.Check())
	fmt.Println(events.Options{Buffer: 16}.Check())
	// Output:
	// <nil>
	// events: Buffer is 16, but Latest keeps one event for each key; leave it 0
}

func ExampleSubscription_C() {
	b := newBilling()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{Policy: events.DropOldest})
	b.elect()
	b.hub.Close()
	for t := range s.C() {
		fmt.Println(t.To)
	}
	// Output:
	// follower
	// acquiring
	// leader
}

func ExampleSubscription_All() {
	b := newBilling()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	b.hub.Close()
	for t := range s.All() {
		fmt.Println(t.Snapshot, t.To)
	}
	// Output: true follower
}

// Next waits no longer than its own context; the subscription goes on.
func ExampleSubscription_Next() {
	b := newBilling()
	defer b.hub.Close()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	defer s.Close()
	t, err := s.Next(context.Background())
	fmt.Println(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Next(ctx)
	fmt.Println(err, s.Err())
	// Output:
	// #0 billing: is follower <nil>
	// context canceled <nil>
}

func ExampleSubscription_Close() {
	b := newBilling()
	defer b.hub.Close()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	s.Close()
	s.Close()
	_, err := s.Next(context.Background())
	fmt.Println(err)
	// Output: events: closed
}

func ExampleSubscription_Err() {
	b := newBilling()
	defer b.hub.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the page was left"))
	_, err := b.hub.Subscribe(ctx, events.Options{})
	fmt.Println(err)
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	fmt.Println(s.Err())
	s.Close()
	fmt.Println(s.Err())
	// Output:
	// events: subscribe: the page was left
	// <nil>
	// events: closed
}

// Latest keeps the newest event of each key and counts what it replaced.
func ExampleSubscription_Dropped() {
	b := newBilling()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	b.elect()
	b.hub.Close()
	fmt.Println(s.Lag(), "wait,", s.Dropped(), "dropped")
	for t := range s.All() {
		fmt.Println(t)
	}
	// Output:
	// 2 wait, 1 dropped
	// #0 billing: is follower
	// #2 billing: acquiring -> leader (won), term 7, 1 missed before
}

func ExampleSubscription_Lag() {
	b := newBilling()
	defer b.hub.Close()
	s, _ := b.hub.Subscribe(context.Background(), events.Options{})
	defer s.Close()
	fmt.Println(s.Lag())
	_, _ = s.Next(context.Background())
	fmt.Println(s.Lag())
	// Output:
	// 1
	// 0
}

func ExampleTransition_String() {
	fmt.Println(events.Transition{Seq: 3, Kind: events.Observed, Key: "billing", Leader: leader, Term: 8})
	// Output: #3 billing: follower sees node-b lead, term 8
}

func ExampleTransition_Equal() {
	t := events.Transition{Seq: 1, Key: "billing", At: noon, Err: errors.New("timeout")}
	o := events.Transition{Seq: 1, Key: "billing", At: noon.UTC(), Err: errors.New("timeout")}
	fmt.Println(t == o, t.Equal(o))
	// Output: false true
}

func ExampleTransition_LogValue() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	log.Info("moved", "lease", events.Transition{
		Seq: 2, Key: "billing", From: fsm.Acquiring, To: fsm.Leader, Reason: fsm.Won,
	})
	// Output: level=INFO msg=moved lease.seq=2 lease.key=billing lease.from=acquiring lease.to=leader lease.reason=won
}

func ExampleTransition_MarshalJSON() {
	line, err := json.Marshal(events.Transition{
		Seq: 2, Key: "billing", From: fsm.Acquiring, To: fsm.Leader, Reason: fsm.Won, Term: 7,
	})
	fmt.Printf("%s %v\n", line, err)
	// Output:
	// {"v":1,"seq":2,"kind":"moved","key":"billing","from":"acquiring","to":"leader","reason":"won","term":7} <nil>
}

func ExampleTransition_UnmarshalJSON() {
	var t events.Transition
	line := `{"v":1,"seq":2,"kind":"moved","key":"billing","from":"acquiring","to":"leader","reason":"won"}`
	err := json.Unmarshal([]byte(line), &t)
	fmt.Println(t, err)
	err = json.Unmarshal([]byte(`{"v":2}`), &t)
	fmt.Println(err)
	// Output:
	// #2 billing: acquiring -> leader (won) <nil>
	// events: the event has schema version 2, this program reads 1; use the version that wrote it
}

func ExampleKind_String() {
	fmt.Println(events.Moved, events.Observed, events.Overrun)
	// Output: moved observed overrun
}

func ExamplePolicy_String() {
	fmt.Println(events.Latest, events.DropOldest, events.Disconnect)
	// Output: latest drop_oldest disconnect
}
