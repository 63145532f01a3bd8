package events_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
)

const stormKeys = 4

// stormKey spreads events over the keys so that the numbers of one key's events are known: every fourth.
func stormKey(seq uint64) string { return string(rune('a' + seq%stormKeys)) }

// storm publishes as long as more says so. It lets others run now and then, for where there is one processor only.
func (n *node) storm(more func(i int) bool) {
	for i := 0; more(i); i++ {
		n.move(stormKey(n.seq + 1))
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
}

// stormCount returns how many of the events after from and before to are of key; "" means all.
func stormCount(key string, from, to uint64) (n uint64) {
	for seq := from + 1; seq < to; seq++ {
		if key == "" || stormKey(seq) == key {
			n++
		}
	}
	return n
}

// checkStream holds what a subscription delivered of a storm against the promises.
func checkStream(s *events.Subscription, o events.Options, got []events.Transition) error {
	if len(got) == 0 || !got[0].Snapshot {
		return fmt.Errorf("%+v begins with %v, not with a snapshot", o, got)
	}
	last, begun := events.After(s), false
	var before events.Transition
	for i, e := range got {
		if e.Seq > 0 && e.Key == stormKey(e.Seq) && e.To != fsm.State((e.Seq+stormKeys-1)/stormKeys%4) {
			return fmt.Errorf("%+v: wrong state in %v", o, e)
		}
		if o.Key != "" && e.Key != o.Key {
			return fmt.Errorf("%+v: event of %q", o, e.Key)
		}
		if e.Seq <= last && !begun { // the snapshot
			tie := e.Seq == before.Seq && e.Key > before.Key
			if e.Missed != 0 || !e.Snapshot || i > 0 && e.Seq <= before.Seq && !tie {
				return fmt.Errorf("%+v: in the snapshot %v follows %v", o, e, before)
			}
			before = e
			continue
		}
		begun = true
		least, most := stormCount(o.Key, last, e.Seq), stormCount("", last, e.Seq)
		switch {
		case e.Seq <= last:
			return fmt.Errorf("%+v: event %d after event %d", o, e.Seq, last)
		case e.Missed < least || e.Missed > most:
			return fmt.Errorf("%+v: %d to %d were lost between %d and %v", o, least, most, last, e)
		case o.Policy == events.Disconnect && e.Missed > 0:
			return fmt.Errorf("%+v: %d missed", o, e.Missed)
		}
		last = e.Seq
	}
	return nil
}

func TestNoGapFollowsTheSnapshotWhileEventsArePublished(t *testing.T) {
	for _, ring := range []int{2, 16, 1024} {
		t.Run(fmt.Sprint(ring), func(t *testing.T) {
			n := newNode(t, ring)
			var over atomic.Bool
			var subscribers sync.WaitGroup
			for i := range 4 {
				subscribers.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), uint64(ring)))
					for range 50 {
						if err := joinStorm(t.Context(), n, r); err != nil {
							t.Error(err)
						}
					}
				})
			}
			published := make(chan bool)
			go func() {
				n.storm(func(int) bool { return !over.Load() })
				close(published)
			}()
			subscribers.Wait()
			over.Store(true)
			<-published
		})
	}
}

// joinStorm takes some events of a new subscription and checks them.
func joinStorm(ctx context.Context, n *node, r *rand.Rand) error {
	o := events.Options{Policy: events.Policy(r.IntN(3))}
	if r.IntN(2) == 0 {
		o.Key = stormKey(r.Uint64())
	}
	if o.Policy != events.Latest {
		o.Buffer = 1 + r.IntN(50)
	}
	s, err := n.hub.Subscribe(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	var got []events.Transition
	most := 1 + r.IntN(100)
	if r.IntN(2) == 0 {
		for e := range s.C() {
			if got = append(got, e); len(got) == most {
				break
			}
		}
		return checkStream(s, o, got)
	}
	for e := range s.All() {
		if got = append(got, e); len(got) == most {
			break
		}
	}
	return checkStream(s, o, got)
}

func TestSubscribersComeAndGoWhileEventsArePublished(t *testing.T) {
	n := newNode(t, 64)
	var stay, storm sync.WaitGroup
	var kept []events.Transition
	keep := n.subscribe(events.Options{Policy: events.DropOldest, Buffer: 16})
	stay.Go(func() { kept = slices.Collect(keep.All()) })
	for range 8 {
		storm.Go(func() {
			for range 400 {
				ctx, cancel := context.WithCancel(t.Context())
				s, err := n.hub.Subscribe(ctx, events.Options{Key: "a"})
				if err != nil {
					t.Error(err)
				}
				s.C()
				go cancel() // the context and Close race to end it
				s.Close()
				cancel()
			}
		})
	}
	n.storm(func(i int) bool { return i < 20_000 })
	storm.Wait()
	n.storm(func(i int) bool { return i < 1 })
	n.hub.Close()
	stay.Wait()
	if err := checkStream(keep, events.Options{}, kept); err != nil {
		t.Error(err)
	}
	if last := kept[len(kept)-1]; last.Seq != n.seq {
		t.Errorf("the last event is %d, want the newest, %d", last.Seq, n.seq)
	}
}

func TestTenThousandSubscribersAllSeeTheNewestAndNobodyWaitsForTheSlow(t *testing.T) {
	const many, published = 10_000, 40
	n := newNode(t, 0)
	n.add("a", "b", "c", "d")
	newest := map[string]uint64{"": published}
	for seq := uint64(1); seq <= published; seq++ {
		newest[stormKey(seq)] = seq
	}
	read := func(s *events.Subscription, o events.Options) {
		got := slices.Collect(s.All())
		if err := checkStream(s, o, got); err != nil {
			t.Error(err)
		}
		if last := got[len(got)-1].Seq; last != newest[o.Key] && !errors.Is(s.Err(), events.ErrSlow) {
			t.Errorf("%+v ended with event %d, want %d (%v)", o, last, newest[o.Key], s.Err())
		}
	}
	var readers sync.WaitGroup
	var slow []func()
	for i := range many {
		o := events.Options{Key: []string{"", "a", "b", "c", "d"}[i%5], Policy: events.Policy(i % 3)}
		if o.Policy != events.Latest {
			o.Buffer = 16
		}
		s := n.subscribe(o)
		if i%7 == 0 {
			slow = append(slow, func() { read(s, o) }) // reads nothing until everything is over
		} else {
			readers.Go(func() { read(s, o) })
		}
	}
	n.storm(func(i int) bool { return i < published })
	n.hub.Close()
	readers.Wait()
	for _, read := range slow {
		read()
	}
}

func TestCloseRacesWithPublishAndSubscribe(t *testing.T) {
	for range 300 {
		n := newNode(t, 4)
		n.add("a")
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				s, err := n.hub.Subscribe(t.Context(), events.Options{Policy: events.DropOldest, Buffer: 4})
				if errors.Is(err, events.ErrClosed) {
					return
				}
				got := slices.Collect(s.All())
				if len(got) == 0 || !got[0].Snapshot || !errors.Is(s.Err(), events.ErrClosed) {
					t.Errorf("got %v and %v, want a snapshot first and ErrClosed", got, s.Err())
				}
			})
		}
		all.Go(func() { n.storm(func(i int) bool { return i < 50 }) })
		all.Go(n.hub.Close)
		n.hub.Close()
		if events.Relays(n.hub) != 0 {
			t.Error("the relay outlived Close")
		}
		all.Wait()
	}
}
