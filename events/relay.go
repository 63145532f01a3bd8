package events

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// relay carries events from one publisher to many subscriptions: a ring that the publisher writes without ever
// waiting, and one goroutine that reads it and does the work that grows with the number of subscribers.
type relay struct {
	hub   *Hub
	slots []atomic.Pointer[Transition] // the event with sequence s is in slot s mod len, until it is overwritten
	ready atomic.Uint64                // Seq of the newest event in the ring
	idle  atomic.Bool                  // the goroutine sleeps, or is about to: wake it
	wake  chan struct{}                // of capacity 1

	quit chan struct{}
	once sync.Once
	done chan struct{} // closed when run has returned

	cursor uint64                     // Seq of the last event handed out; owned by run
	groups map[string][]*Subscription // by key, "" for all keys; guarded by hub.mu
	n      int                        // subscriptions in groups
}

func newRelay(h *Hub) *relay {
	return &relay{
		hub:    h,
		slots:  make([]atomic.Pointer[Transition], h.size),
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		groups: make(map[string][]*Subscription),
	}
}

func (r *relay) slot(seq uint64) *atomic.Pointer[Transition] {
	return &r.slots[seq&uint64(len(r.slots)-1)]
}

// put is the publisher's whole part. It touches the channel only if the relay sleeps.
func (r *relay) put(e *Transition) {
	r.slot(e.Seq).Store(e)
	r.ready.Store(e.Seq)
	if r.idle.Load() && r.idle.CompareAndSwap(true, false) {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// stop ends the goroutine after what is in the ring, and waits for it.
func (r *relay) stop() {
	r.once.Do(func() { close(r.quit) })
	<-r.done
}

func (r *relay) run() {
	defer close(r.done)
	for r.wait() {
		r.forward(r.ready.Load())
	}
	r.forward(r.ready.Load())
}

// wait sleeps until there is something to hand out. It reports false if the relay is to end.
func (r *relay) wait() bool {
	for r.ready.Load() <= r.cursor {
		r.idle.Store(true)
		if r.ready.Load() > r.cursor { // published between the look and the lying down
			r.idle.Store(false)
			break
		}
		select {
		case <-r.wake:
		case <-r.quit:
			return false
		}
	}
	return true
}

// forward hands out every event up to end. The lock is let go between any two, so that subscribers can come and go.
func (r *relay) forward(end uint64) {
	for r.cursor < end {
		r.hub.mu.Lock()
		r.step(end)
		r.hub.mu.Unlock()
	}
}

func (r *relay) step(end uint64) {
	next := r.cursor + 1
	e := r.slot(next).Load()
	switch {
	case end-r.cursor > uint64(len(r.slots)) || e != nil && e.Seq > next:
		r.resync(r.ready.Load())
		return
	case e != nil && e.Seq == next:
		r.fan(r.groups[""], e)
		if e.Key != "" {
			r.fan(r.groups[e.Key], e)
		}
	}
	r.cursor = next
}

// fan goes backwards because a subscription that is dropped on the way leaves its place to the last one.
func (r *relay) fan(group []*Subscription, e *Transition) {
	for i := len(group) - 1; i >= 0; i-- {
		if s := group[i]; e.Seq > s.after {
			r.keep(s, s.offer(e, 0))
		}
	}
}

// keep drops s if its policy has ended it. The relay cannot wait for its own end, so it only asks for it.
func (r *relay) keep(s *Subscription, ok bool) {
	if !ok && r.drop(s) {
		r.once.Do(func() { close(r.quit) })
	}
}

// resync is what happens when the publisher has lapped the relay: events up to the middle of the ring are given up,
// and in their place every subscription gets the present state of the elections that moved in between, so that the
// newest state arrives even if its event is gone.
//
// For example: a ring of 4, the relay has handed out 10, and 11 to 20 were published. 17 to 20 are still there. The
// relay goes on with 19; an election whose newest event is 14 is delivered as a snapshot with Seq 14, one whose
// newest is 19 or more is left to the ring.
func (r *relay) resync(end uint64) {
	from, to := r.cursor, r.cursor+1
	if half := uint64(len(r.slots)) / 2; end > to+half {
		to = end - half
	}
	r.cursor = to
	if len(r.groups[""]) > 0 {
		now := r.hub.present(from+1, to)
		group := r.groups[""]
		for i := len(group) - 1; i >= 0; i-- {
			r.keep(group[i], group[i].catchUp(now, from, to))
		}
	}
	for key, group := range r.groups {
		if key == "" {
			continue
		}
		now := []*Transition{r.hub.one(key, to)}
		for i := len(group) - 1; i >= 0; i-- {
			s := group[i]
			if now[0].Seq > max(from, s.after) {
				r.keep(s, s.catchUp(now, from, to))
			}
		}
	}
}

func (r *relay) add(s *Subscription) {
	s.relay, s.index = r, len(r.groups[s.key])
	r.groups[s.key] = append(r.groups[s.key], s)
	r.n++
}

// drop takes s out, if it is in. The relay is at its end when the last one is out.
func (r *relay) drop(s *Subscription) (last bool) {
	if s.index >= 0 {
		group := r.groups[s.key]
		end := len(group) - 1
		group[s.index] = group[end]
		group[s.index].index = s.index
		group[end] = nil
		r.groups[s.key] = group[:end]
		if end == 0 {
			delete(r.groups, s.key)
		}
		s.index = -1
		r.n--
	}
	if r.n > 0 {
		return false
	}
	r.hub.relay.CompareAndSwap(r, nil)
	return true
}

func (r *relay) everyone() []*Subscription {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	all := make([]*Subscription, 0, r.n)
	for _, group := range r.groups {
		all = append(all, group...)
	}
	return all
}

// present returns the state of every election that has one with a Seq from least to most, in the order of events.
// Elections that have had no event have Seq 0 and come first, in the order of their keys.
func (h *Hub) present(least, most uint64) []*Transition {
	var now []*Transition
	for t := range h.snapshot("") {
		if t.Seq < least || t.Seq > most {
			continue
		}
		t.Snapshot, t.Missed = true, 0
		now = append(now, &t)
	}
	slices.SortFunc(now, func(a, b *Transition) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Key, b.Key))
	})
	return now
}

// one returns the state of key. If there is no such election it is a follower without a leader, as of event at.
func (h *Hub) one(key string, at uint64) *Transition {
	now := Transition{Seq: at, Node: h.node, Key: key, Snapshot: true}
	found := false
	for t := range h.snapshot(key) {
		if t.Key == key && (!found || t.Seq > now.Seq) {
			now, found = t, true
		}
	}
	now.Snapshot, now.Missed = true, 0
	return &now
}
