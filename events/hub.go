package events

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

const (
	// DefaultRing is the number of events a hub keeps for its relay if Config.Ring is zero.
	DefaultRing = 1024
	// MaxRing is the largest Config.Ring.
	MaxRing = 1 << 20
)

// ErrClosed ends a subscription whose owner or whose hub has closed it, and refuses to subscribe to a closed hub.
var ErrClosed = errors.New("events: closed")

// Config is what a Hub is made from.
type Config struct {
	// Node is the name to put on snapshots of elections that do not exist. It may be empty.
	Node string
	// Ring is how many events the hub keeps while its relay hands them out, rounded up to a power of two, at most
	// [MaxRing]. Zero is [DefaultRing]. A burst of more is not lost in silence: see Transition.Missed.
	Ring int
	// Snapshot yields the present state of every election of the node, or only of key if it is not empty: at most
	// one Transition for each key, in any order, whose Seq is that of the newest event of that election, of any
	// kind, or 0 if there has been none. It must reflect every event for which Publish has been called, and may
	// reflect later ones. It is called by subscribers and by the relay, several at a time, and never by Publish. It
	// must not wait for anything that waits for the hub, and must not call the hub. Required.
	Snapshot func(key string) iter.Seq[Transition]
}

// Hub takes the events of one node from its actor and gives them to any number of subscribers. An idle Hub is a few
// words of memory and no goroutine: the ring and the relay exist only while there are subscribers.
//
// Publish is for one goroutine at a time; every other method may be called from anywhere, at once.
type Hub struct {
	node     string
	size     uint64
	snapshot func(string) iter.Seq[Transition]

	head  atomic.Uint64         // Seq of the newest event, written before relay is read
	relay atomic.Pointer[relay] // nil while nobody listens; the publisher's way to the ring

	mu     sync.Mutex // guards what follows and every relay's groups; never taken by Publish
	closed bool
	last   *relay // the one that was serving when the hub was closed
}

// New returns a Hub, or an error that names every fault of c. It starts nothing.
func New(c Config) (*Hub, error) {
	var faults []error
	if c.Ring < 0 || c.Ring > MaxRing {
		faults = append(faults,
			fmt.Errorf("events: Ring %d is not within 0..%d; 0 means %d", c.Ring, MaxRing, DefaultRing))
	}
	if c.Snapshot == nil {
		faults = append(faults,
			errors.New("events: Snapshot is nil; subscriptions begin with the present state, say where it is"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Ring == 0 {
		c.Ring = DefaultRing
	}
	size := uint64(2)
	for size < uint64(c.Ring) {
		size *= 2
	}
	return &Hub{node: c.Node, size: size, snapshot: c.Snapshot}, nil
}

// Publish hands t to every subscriber, later and elsewhere: it never blocks, takes no lock and runs nobody's code,
// and its cost does not depend on how many listen or how slow they are. Only one goroutine at a time may call it.
// Before the call, t.Seq must have been set to one more than that of the event before, and Config.Snapshot must
// have come to reflect t. A number left out may be taken for a loss; one that does not rise is a fault in the
// caller, and Publish panics. Snapshot and Missed of t are ignored. After Close it does nothing.
func (h *Hub) Publish(t Transition) {
	if last := h.head.Load(); t.Seq <= last {
		panic(fmt.Sprintf("events: event %d published after event %d; number events upward from 1", t.Seq, last))
	}
	// The order of these two lines is half of "no gap": a subscriber sets the relay and then reads head. So either
	// it reads this head, and its snapshot reflects t, or its relay is seen here, and t goes through the ring.
	h.head.Store(t.Seq)
	r := h.relay.Load()
	if r == nil {
		return
	}
	e := new(Transition) // not &t: without a subscriber nothing shall reach the heap
	*e = t
	e.Snapshot, e.Missed = false, 0
	r.put(e)
}

// Subscribe begins a subscription. It lasts until ctx ends, the Subscription or the Hub is closed, or its policy
// ends it. The first events are a snapshot of what o asks for, taken at this moment, and nothing published after it
// is skipped. It fails with ErrClosed if the Hub is closed, with the cause of ctx if that has ended, and with every
// fault of o.
func (h *Hub) Subscribe(ctx context.Context, o Options) (*Subscription, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("events: subscribe: %w", context.Cause(ctx))
	}
	s := newSubscription(h, o)
	if err := h.attach(s); err != nil {
		return nil, err
	}
	begun := false
	defer func() {
		if !begun { // Snapshot panicked
			s.Close()
		}
	}()
	if s.key == "" {
		now := h.present(0, s.after)
		if len(now) == 0 {
			now = append(now, &Transition{Seq: s.after, Node: h.node, Snapshot: true})
		}
		s.begin(now)
	}
	s.follow(ctx)
	begun = true
	return s, nil
}

// Events returns a sequence that subscribes when it is ranged over and unsubscribes when the loop is left. It ends
// when ctx ends or the Hub is closed, and is empty if either is so already. Use Subscribe to learn why it ended.
// Events panics if o is faulty.
func (h *Hub) Events(ctx context.Context, o Options) iter.Seq[Transition] {
	if err := o.Check(); err != nil {
		panic(err)
	}
	return func(yield func(Transition) bool) {
		s, err := h.Subscribe(ctx, o)
		if err != nil {
			return
		}
		s.All()(yield)
	}
}

// Close ends every subscription after what was published before. It returns when the relay has ended; subscribers
// may still be reading what waits for them. Calling it again changes nothing. It must not be called by
// Config.Snapshot.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		h.last = h.relay.Swap(nil)
	}
	r := h.last
	h.mu.Unlock()
	if r == nil {
		return
	}
	r.stop()
	for _, s := range r.everyone() {
		s.finish(ErrClosed, true)
	}
}

// attach makes s one of those the relay serves, starting the relay if s is the first, and fixes the event after
// which the ring takes over from the snapshot.
func (h *Hub) attach(s *Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	r := h.relay.Load()
	if r == nil {
		r = newRelay(h)
		h.relay.Store(r)
		defer func() {
			if r.n == 0 { // Snapshot panicked
				h.relay.Store(nil)
			}
		}()
	}
	head := h.head.Load() // after the relay was set: see Publish
	s.after = head
	if s.key != "" {
		// One key is read under the lock, while nothing can be delivered, so its state may well be newer than head.
		now := h.one(s.key, head)
		s.after = max(head, now.Seq)
		s.begin([]*Transition{now})
	}
	if r.n == 0 {
		r.cursor = head
		go r.run()
	}
	r.add(s)
	return nil
}

// detach takes s out. Whoever takes out the last one waits for the relay to end.
func (h *Hub) detach(s *Subscription) {
	h.mu.Lock()
	r := s.relay
	last := r != nil && r.drop(s)
	h.mu.Unlock()
	if last {
		r.stop()
	}
}
