package events_test

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/go-tenure/tenure/events"
)

// hold makes the relay of n stand still until release is called, by way of a subscription that takes its time over
// the snapshot. Publishing must go on meanwhile.
func hold(t *testing.T, n *node) (release func()) {
	t.Helper()
	inside, proceed, done := make(chan bool), make(chan bool), make(chan bool)
	n.mu.Lock()
	n.before = func(key string) {
		if key == "hold" {
			n.before = nil
			close(inside)
			<-proceed
		}
	}
	n.mu.Unlock()
	go func() {
		defer close(done)
		s, err := n.hub.Subscribe(t.Context(), events.Options{Key: "hold"})
		if err != nil {
			t.Error(err)
			return
		}
		s.Close()
	}()
	<-inside
	return func() {
		close(proceed)
		<-done
	}
}

type seen struct {
	seq, missed uint64
	key         string
	snapshot    bool
}

func summary(got []events.Transition) (all []seen) {
	for _, e := range got {
		all = append(all, seen{e.Seq, e.Missed, e.Key, e.Snapshot})
	}
	return all
}

func TestWhenTheHubIsOutrunTheNewestStateOfEachKeyStillArrivesAndLossesAreCounted(t *testing.T) {
	n := newNode(t, 8)
	n.add("a", "b", "c", "d")
	n.move("a") // 1
	all := n.subscribe(events.Options{Policy: events.DropOldest})
	latest := n.subscribe(events.Options{})
	every := n.subscribe(events.Options{Policy: events.Disconnect})
	byKey := map[string]*events.Subscription{}
	for _, key := range []string{"a", "b", "c", "d", "none"} {
		byKey[key] = n.subscribe(events.Options{Key: key, Policy: events.DropOldest})
	}
	idle := n.subscribe(events.Options{Key: "d", Policy: events.Disconnect})
	unsure := n.subscribe(events.Options{Key: "c", Policy: events.Disconnect})

	release := hold(t, n)
	for range 9 {
		n.move("b") // 2..10
	}
	n.move("a") // 11
	for range 9 {
		n.move("c") // 12..20, of which 17 and later are handed out
	}
	release()
	var got []events.Transition
	for len(got) == 0 || got[len(got)-1].Seq < 20 { // the relay has caught up
		e, err := all.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	n.move("a") // 21
	n.hub.Close()

	if want := []seen{
		{0, 0, "b", true}, {0, 0, "c", true}, {0, 0, "d", true}, {1, 0, "a", true}, // at the beginning
		{10, 8, "b", true}, {11, 0, "a", true}, // b and a went on in what was lost
		{17, 5, "c", false}, {18, 0, "c", false}, {19, 0, "c", false}, {20, 0, "c", false},
	}; !slices.Equal(summary(got), want) {
		t.Errorf("all keys: got\n%v, want\n%v", summary(got), want)
	}
	if all.Dropped() != 13 {
		t.Errorf("%d dropped, want 13", all.Dropped())
	}
	got, _ = drain(t, latest)
	if want := []seen{
		{10, 8, "b", true}, {20, 9, "c", false}, {21, 0, "a", false},
	}; !slices.Equal(summary(got[4:]), want) {
		t.Errorf("latest: got\n%v, want\n%v", summary(got[4:]), want)
	}
	if _, err := drain(t, every); !errors.Is(err, events.ErrSlow) {
		t.Errorf("a subscription that may lose nothing ended with %v, want ErrSlow", err)
	}
	for key, want := range map[string][]seen{
		"a":    {{1, 0, "a", true}, {11, 9, "a", true}, {21, 0, "a", false}}, // 9 at most: 2..10 may have been a's
		"b":    {{0, 0, "b", true}, {10, 8, "b", true}},
		"c":    {{0, 0, "c", true}, {17, 15, "c", false}, {18, 0, "c", false}, {19, 0, "c", false}, {20, 0, "c", false}},
		"d":    {{0, 0, "d", true}},
		"none": {{1, 0, "none", true}, {16, 14, "none", true}}, // it might have come and gone
	} {
		if got, _ := drain(t, byKey[key]); !slices.Equal(summary(got), want) {
			t.Errorf("%s: got\n%v, want\n%v", key, summary(got), want)
		}
	}
	if _, err := drain(t, idle); !errors.Is(err, events.ErrClosed) {
		t.Errorf("a key that did not move lost nothing, but ended with %v", err)
	}
	if _, err := drain(t, unsure); !errors.Is(err, events.ErrSlow) {
		t.Errorf("a key that may have lost events ended with %v, want ErrSlow", err)
	}
}

func TestTheHubMayBeOutrunAgainWhileItCatchesUp(t *testing.T) {
	n := newNode(t, 4)
	s := n.subscribe(events.Options{Policy: events.DropOldest})
	rounds := 0
	release := hold(t, n)
	n.mu.Lock()
	n.before = func(key string) {
		if key != "" || rounds == 3 {
			return
		}
		rounds++
		for range 10 {
			n.move("a") // the relay reads the states while ten more are published
		}
	}
	n.mu.Unlock()
	for range 6 {
		n.move("a")
	}
	release()
	last := uint64(0)
	for e := range s.All() {
		if e.Seq > 0 && e.Missed != e.Seq-last-1 {
			t.Errorf("%d missed between %d and %v", e.Missed, last, e)
		}
		if last = e.Seq; last == 36 {
			break
		}
	}
	if rounds != 3 {
		t.Errorf("the hub was outrun %d times, want 3", rounds)
	}
}

func TestPublishWaitsForNobody(t *testing.T) {
	n := newNode(t, 4)
	slow := n.subscribe(events.Options{Policy: events.DropOldest, Buffer: 1})
	c := slow.C()
	<-c
	release := hold(t, n) // the hub's lock is taken and a subscriber is in the middle of the snapshot
	for range 1000 {
		n.move("a")
	}
	release()
	if e := <-c; e.Missed == 0 {
		t.Errorf("got %v, want to be told of the loss", e)
	}
}

func TestAStateNewerThanTheHeadIsNeitherLostNorRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, 0)
		n.move("a")
		n.move("b")
		n.seq++
		newer := events.Transition{Seq: n.seq, Node: "node-a", Key: "a", From: 1, To: 2}
		n.state["a"] = newer // 3 can be seen but is not published yet
		one := n.subscribe(events.Options{Key: "a", Policy: events.DropOldest})
		all := n.subscribe(events.Options{Policy: events.DropOldest})
		n.hub.Publish(newer)
		n.move("a") // 4
		n.hub.Close()
		got, _ := drain(t, one)
		if want := []seen{{3, 0, "a", true}, {4, 0, "a", false}}; !slices.Equal(summary(got), want) {
			t.Errorf("one key: got %v, want %v", summary(got), want)
		}
		got, _ = drain(t, all)
		if want := []seen{{2, 0, "b", true}, {3, 0, "a", false}, {4, 0, "a", false}}; !slices.Equal(summary(got), want) {
			t.Errorf("all keys: got %v, want %v", summary(got), want)
		}
	})
}

func TestAnEventPublishedWhileTheSnapshotIsReadComesAfterIt(t *testing.T) {
	for _, key := range []string{"", "a"} {
		n := newNode(t, 0)
		keep := n.subscribe(events.Options{}) // so that there is a relay, and without it, both
		for range 2 {
			n.move("a")
			n.mu.Lock()
			n.before = func(string) {
				n.before = nil
				n.move("a")
			}
			n.mu.Unlock()
			s := n.subscribe(events.Options{Key: key, Policy: events.Disconnect})
			last := n.move("a").Seq
			for want := last - 1; want <= last; {
				e, err := s.Next(t.Context())
				if err != nil || e.Missed != 0 || e.Seq > want {
					t.Fatalf("%q: got %v and %v, want event %d", key, e, err, want)
				}
				if e.Seq == want {
					want++
				}
			}
			s.Close()
			keep.Close()
		}
	}
}

func TestASnapshotThatPanicsLeavesTheHubAsItWas(t *testing.T) {
	for _, key := range []string{"", "a"} {
		synctest.Test(t, func(t *testing.T) {
			faulty := true
			h, err := events.New(events.Config{Snapshot: func(string) iter.Seq[events.Transition] {
				return func(func(events.Transition) bool) {
					if faulty {
						panic("snapshot")
					}
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = h.Subscribe(t.Context(), events.Options{Key: key})
				t.Error("the panic was swallowed")
			}()
			if events.Relays(h) != 0 {
				t.Error("a relay was left behind")
			}
			faulty = false
			s, err := h.Subscribe(t.Context(), events.Options{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			next(t, s)
			h.Close()
		})
	}
}

func TestStatesOfOtherKeysAndOlderOnesAreLeftOutOfTheSnapshotOfOneKey(t *testing.T) {
	h, err := events.New(events.Config{Snapshot: func(string) iter.Seq[events.Transition] {
		return slices.Values([]events.Transition{{Seq: 3, Key: "b"}, {Seq: 2, Key: "a"}, {Seq: 1, Key: "a"}})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s, err := h.Subscribe(t.Context(), events.Options{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if e := next(t, s); e.Seq != 2 || e.Key != "a" || s.Lag() != 0 {
		t.Errorf("got %v and %d more, want event 2 of a alone", e, s.Lag())
	}
}
