package events_test

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
)

// node is a publisher with a state for each key, as the actor is one.
type node struct {
	t   testing.TB
	hub *events.Hub
	seq uint64 // owned by the publishing goroutine

	mu     sync.Mutex
	state  map[string]events.Transition
	before func(key string) // called when a snapshot has been taken and is about to be handed over
}

func newNode(t testing.TB, ring int) *node {
	t.Helper()
	n := &node{t: t, state: map[string]events.Transition{}}
	h, err := events.New(events.Config{Node: "node-a", Ring: ring, Snapshot: n.snapshot})
	if err != nil {
		t.Fatal(err)
	}
	n.hub = h
	t.Cleanup(h.Close)
	return n
}

func (n *node) snapshot(key string) iter.Seq[events.Transition] {
	return func(yield func(events.Transition) bool) {
		n.mu.Lock()
		var now []events.Transition
		for k, t := range n.state {
			if key == "" || k == key {
				now = append(now, t)
			}
		}
		before := n.before
		n.mu.Unlock()
		if before != nil {
			before(key)
		}
		for _, t := range now {
			if !yield(t) {
				return
			}
		}
	}
}

// add is an election that has had no event yet.
func (n *node) add(keys ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range keys {
		n.state[k] = events.Transition{Node: "node-a", Key: k}
	}
}

// move publishes the next event of key, going round the four states.
func (n *node) move(key string) events.Transition {
	n.seq++
	n.mu.Lock()
	was := n.state[key]
	now := events.Transition{Seq: n.seq, Node: "node-a", Key: key, From: was.To, To: (was.To + 1) % 4, Reason: fsm.Due}
	n.state[key] = now
	n.mu.Unlock()
	n.hub.Publish(now)
	return now
}

func (n *node) subscribe(o events.Options) *events.Subscription {
	n.t.Helper()
	s, err := n.hub.Subscribe(n.t.Context(), o)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(s.Close)
	return s
}

func drain(t *testing.T, s *events.Subscription) ([]events.Transition, error) {
	t.Helper()
	got := slices.Collect(s.All())
	return got, s.Err()
}

func seqs(got []events.Transition) (all []uint64) {
	for _, t := range got {
		all = append(all, t.Seq)
	}
	return all
}

func TestASubscriptionBeginsWithASnapshotAndThenSeesEveryEvent(t *testing.T) {
	n := newNode(t, 0)
	n.add("idle")
	n.move("billing")
	n.move("billing")
	s := n.subscribe(events.Options{Policy: events.Disconnect})
	n.move("billing")
	n.move("mail")
	n.hub.Close()
	got, err := drain(t, s)
	if !errors.Is(err, events.ErrClosed) {
		t.Errorf("ended with %v, want ErrClosed", err)
	}
	if want := []uint64{0, 2, 3, 4}; !slices.Equal(seqs(got), want) {
		t.Fatalf("got %v, want the events %v", got, want)
	}
	for i, e := range got {
		if e.Snapshot != (i < 2) || e.Missed != 0 {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}
