package events

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/go-tenure/tenure/lease"
)

const (
	// DefaultBuffer is how many events may wait if Options.Buffer is zero.
	DefaultBuffer = 64
	// MaxBuffer is the largest Options.Buffer.
	MaxBuffer = 1 << 16
)

// ErrSlow ends a subscription with the policy Disconnect that could not be given every event.
var ErrSlow = errors.New("events: subscriber too slow; read faster, raise Buffer, or let events be lost")

// Policy is what happens to a subscriber that does not keep up. There is no policy that makes others wait.
type Policy uint8

const (
	// Latest keeps one waiting event for each key, the newest: whoever wants to know how things are, not how they
	// came to be so. What waits is bounded by the number of elections on the node.
	Latest Policy = iota
	// DropOldest keeps the newest Buffer events.
	DropOldest
	// Disconnect keeps Buffer events and ends the subscription with ErrSlow, after those, rather than lose one:
	// whoever must see every event, and can begin again from a new snapshot.
	Disconnect

	policies = iota
)

var policyNames = [policies]string{"latest", "drop_oldest", "disconnect"}

// String returns the policy's name in lower case.
func (p Policy) String() string {
	if int(p) < policies {
		return policyNames[p]
	}
	return "unknown policy"
}

// Options is what a subscriber asks for. The zero value asks for all keys, the newest event of each.
type Options struct {
	// Key is the election to hear of; empty means all of the node. It need not exist yet.
	Key string
	// Policy is what to do when the subscriber is slow.
	Policy Policy
	// Buffer is how many events may wait with the policies DropOldest and Disconnect, beside the snapshot, at most
	// [MaxBuffer]. Zero is [DefaultBuffer]. With Latest it must be zero.
	Buffer int
}

// Check returns an error that names every fault of o.
func (o Options) Check() error {
	var faults []error
	if o.Key != "" {
		if err := lease.CheckKey(o.Key); err != nil {
			faults = append(faults, fmt.Errorf("events: Key: %w", err))
		}
	}
	if int(o.Policy) >= policies {
		faults = append(faults, fmt.Errorf("events: Policy %d is not one of Latest, DropOldest, Disconnect", o.Policy))
	}
	if o.Policy == Latest && o.Buffer != 0 {
		faults = append(faults,
			fmt.Errorf("events: Buffer is %d, but Latest keeps one event for each key; leave it 0", o.Buffer))
	} else if o.Buffer < 0 || o.Buffer > MaxBuffer {
		faults = append(faults,
			fmt.Errorf("events: Buffer %d is not within 0..%d; 0 means %d", o.Buffer, MaxBuffer, DefaultBuffer))
	}
	return errors.Join(faults...)
}

// Subscription is one subscriber's view of a Hub. Take its events through one of C, Next and All; if several are
// used, or from several goroutines, each event goes to one of them. All methods may be called from anywhere, at
// once.
type Subscription struct {
	hub    *Hub
	key    string
	policy Policy
	limit  int
	after  uint64 // events up to this Seq are in the snapshot, or older

	relay *relay // the one that serves it; guarded by hub.mu
	index int    // in its group of the relay, or -1; guarded by hub.mu

	signal chan struct{} // of capacity 1: something was queued
	ended  chan struct{} // closed when nothing more will be queued
	closed chan struct{} // closed when nothing more will be delivered

	mu      sync.Mutex // guards what follows
	snap    []*Transition
	wait    queue
	newest  map[string]*item // with Latest and all keys: the waiting event of each key
	count   uint64           // events that this subscription should have seen
	took    uint64           // ord of the last event delivered
	got     uint64           // events delivered, without snapshots at the beginning
	left    uint64           // events that waited when it was closed
	err     error            // why it ended
	unhook  func() bool      // lets go of the context
	stream  chan Transition  // made by C
	drained chan struct{}    // closed when the goroutine that C starts has returned

	discarded bool // closed by the subscriber: what waited is gone
}

func newSubscription(h *Hub, o Options) *Subscription {
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer
	}
	s := &Subscription{
		hub: h, key: o.Key, policy: o.Policy, limit: o.Buffer,
		signal: make(chan struct{}, 1), ended: make(chan struct{}), closed: make(chan struct{}),
	}
	if s.policy == Latest && s.key == "" {
		s.newest = make(map[string]*item)
	}
	return s
}

// C returns a channel of the events, always the same one, which is closed at the end of the subscription. It is
// unbuffered: what waits, waits under the policy. The first call starts a goroutine, which ends with the
// subscription; a subscription that the hub has ended still has its last events to deliver: receive until the
// channel is closed, or Close.
func (s *Subscription) C() <-chan Transition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		s.stream, s.drained = make(chan Transition), make(chan struct{})
		go s.pump(s.stream, s.drained)
	}
	return s.stream
}

// Next waits for the next event. At the end of the subscription it returns what Err returns. If ctx ends first it
// returns the cause of that, takes no event, and the subscription goes on.
func (s *Subscription) Next(ctx context.Context) (Transition, error) {
	for {
		if ctx.Err() != nil {
			s.notify() // this call may have taken the signal that another waits for
			return Transition{}, context.Cause(ctx)
		}
		t, ok, stream, err := s.poll()
		if ok || err != nil {
			return t, err
		}
		signal, ended := s.signal, s.ended
		if stream != nil {
			signal, ended = nil, nil // they are the pump's
		}
		select {
		case t, ok := <-stream:
			if !ok {
				return Transition{}, s.Err()
			}
			return t, nil
		case <-signal:
		case <-ended:
		case <-ctx.Done():
		}
	}
}

// All returns the events as a sequence. Leaving the loop closes the subscription; Err tells why the sequence ended.
func (s *Subscription) All() iter.Seq[Transition] {
	return func(yield func(Transition) bool) {
		defer s.Close()
		for {
			t, err := s.Next(context.Background())
			if err != nil || !yield(t) {
				return
			}
		}
	}
}

// Close ends the subscription: events that still wait are discarded, C is closed, and the goroutines that served
// nobody else have ended when it returns. It may be called more than once.
func (s *Subscription) Close() {
	s.finish(ErrClosed, false)
	s.mu.Lock()
	drained := s.drained
	s.mu.Unlock()
	if drained != nil {
		<-drained
	}
}

// Err returns nil while the subscription lasts, and then why it ended: ErrClosed if it or its hub was closed,
// ErrSlow if its policy ended it, or the cause of the context it was made with. Events may still wait when the hub
// or the policy has ended it.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Lag returns how many events wait to be taken.
func (s *Subscription) Lag() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.snap) + s.wait.n
}

// Dropped returns how many events have been lost to this subscription so far, conflated ones included. It is never
// less than the sum of Missed over the events taken, and equal to it once none wait.
func (s *Subscription) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count - s.got - s.left - uint64(s.wait.n)
}
