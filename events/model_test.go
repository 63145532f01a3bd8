package events_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/go-tenure/tenure/events"
)

// model is a subscription as the documentation describes it, without any thought of speed: all events that it
// should have seen, and which of them wait.
type model struct {
	o       events.Options
	sub     *events.Subscription
	snap    []events.Transition
	all     []events.Transition
	waiting []int // indices in all
	taken   int   // index of the last one taken, plus one
	missed  uint64
	ended   bool
}

func (m *model) publish(e events.Transition) {
	if m.ended || m.o.Key != "" && m.o.Key != e.Key {
		return
	}
	m.all = append(m.all, e)
	switch m.o.Policy {
	case events.Latest:
		m.waiting = slices.DeleteFunc(m.waiting, func(i int) bool { return m.all[i].Key == e.Key })
	case events.DropOldest:
		if len(m.waiting) == m.o.Buffer {
			m.waiting = m.waiting[1:]
		}
	case events.Disconnect:
		if len(m.waiting) == m.o.Buffer {
			m.ended = true
			return
		}
	}
	m.waiting = append(m.waiting, len(m.all)-1)
}

func (m *model) take() (e events.Transition, ok bool) {
	if len(m.snap) > 0 {
		e, m.snap = m.snap[0], m.snap[1:]
		return e, true
	}
	if len(m.waiting) == 0 {
		return e, false
	}
	i := m.waiting[0]
	m.waiting = m.waiting[1:]
	e = m.all[i]
	e.Missed = uint64(i - m.taken)
	m.taken = i + 1
	m.missed += e.Missed
	return e, true
}

func newModel(n *node, o events.Options) *model {
	m := &model{o: o, sub: n.subscribe(o)}
	for _, e := range n.state {
		if o.Key == "" || o.Key == e.Key {
			e.Snapshot = true
			m.snap = append(m.snap, e)
		}
	}
	slices.SortFunc(m.snap, func(a, b events.Transition) int { return int(a.Seq) - int(b.Seq) })
	if len(m.snap) == 0 {
		m.snap = []events.Transition{{Seq: n.seq, Node: "node-a", Key: o.Key, Snapshot: true}}
	}
	return m
}

// compare takes one event from both.
func (m *model) compare(t *testing.T) bool {
	want, ok := m.take()
	if m.sub.Lag() == 0 || !ok {
		if (m.sub.Lag() == 0) == ok {
			t.Errorf("%+v: %d wait, the model has one: %v (%v)", m.o, m.sub.Lag(), ok, want)
		}
		return ok
	}
	got, err := m.sub.Next(t.Context())
	if err != nil || got != want {
		t.Errorf("%+v: got %+v and %v, want %+v", m.o, got, err, want)
	}
	return true
}

func TestASubscriptionDoesWhatTheModelDoes(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { compareWithModel(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func compareWithModel(t *testing.T, r *rand.Rand) {
	n := newNode(t, 8)
	var subs []*model
	for range 250 {
		switch p := r.IntN(100); {
		case p < 50:
			e := n.move(string(rune('a' + r.IntN(4))))
			for _, m := range subs {
				m.publish(e)
			}
			synctest.Wait()
		case p < 90 && len(subs) > 0:
			subs[r.IntN(len(subs))].compare(t)
		case p < 97:
			o := events.Options{Key: []string{"", "", "a", "b", "e"}[r.IntN(5)], Policy: events.Policy(r.IntN(3))}
			if o.Policy != events.Latest {
				o.Buffer = 1 + r.IntN(5)
			}
			subs = append(subs, newModel(n, o))
		case len(subs) > 0:
			i := r.IntN(len(subs))
			subs[i].sub.Close()
			subs = slices.Delete(subs, i, i+1)
		}
	}
	n.hub.Close()
	for _, m := range subs {
		for m.compare(t) {
			continue
		}
		if want := m.missed + uint64(len(m.all)-m.taken); m.sub.Dropped() != want {
			t.Errorf("%+v: %d dropped, want %d", m.o, m.sub.Dropped(), want)
		}
		if _, err := m.sub.Next(t.Context()); (err == events.ErrSlow) != m.ended {
			t.Errorf("%+v: ended with %v, the model was disconnected: %v", m.o, err, m.ended)
		}
	}
}
