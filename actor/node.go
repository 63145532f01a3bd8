package actor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Node stands in any number of elections and drives them from one goroutine, the one that calls [Node.Run]. All its
// methods may be called from anywhere at any time, except that Run is called once. Make it with [New].
type Node struct {
	config Config
	holder lease.Holder
	clock  *timepiece
	mail   mailbox
	hub    *events.Hub
	log    *slog.Logger
	ran    atomic.Bool
	due    atomic.Int64 // the earliest instant at which the actor has something to do, for Livez

	mu        sync.Mutex // guards what follows: what callers of Campaign share with the actor
	campaigns map[string]*Campaign
	timings   map[fsm.Timing]*fsm.Timing
	ended     bool

	// What follows belongs to the goroutine of Run.
	table    *fsm.Table
	fork     func() (context.Context, context.CancelCauseFunc) // a context with the values of Run's, without its end
	heap     heap
	now      fsm.Instant
	armed    fsm.Instant // when the timer will fire, Never if it is not running
	timer    uint64      // number of the latest timer
	disarm   func() bool
	unjoin   func() bool // stops the timer of JoinLimit
	seq      uint64
	cause    error // behind the move that the table is making
	leading  int   // elections led
	undone   int   // elections of which something still runs, beside calls that do not return
	busy     int   // calls under way
	urgent   queue
	patient  queue
	left     map[*Campaign]struct{} // elections that have ended and left calls behind that have not returned
	stopping bool
	joining  bool // every election is over; waiting for calls that do not return
	gaveUp   bool
	known    *lease.Holder // the holder seen last, to share among elections
}

// New checks c and returns a node, or an error with every fault of c. It starts nothing and calls nothing.
func New(c Config) (*Node, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	n := &Node{
		config:    c,
		holder:    lease.Holder{Name: c.Name, Incarnation: lease.NewIncarnation(), Meta: c.Meta},
		clock:     newTimepiece(clocks(c.Clock)),
		mail:      mailbox{wake: make(chan struct{}, 1)},
		log:       c.Logger.With("node", c.Name),
		campaigns: map[string]*Campaign{},
		timings:   map[fsm.Timing]*fsm.Timing{},
		armed:     fsm.Never,
		left:      map[*Campaign]struct{}{},
	}
	n.due.Store(int64(fsm.Never))
	n.hub, err = events.New(events.Config{Node: c.Name, Ring: c.Events, Snapshot: n.snapshot})
	if err != nil {
		return nil, fmt.Errorf("actor: config: %w", err)
	}
	var a fsm.Actions
	a.Enter[fsm.Leader] = func(_ fsm.Move, c any) { n.begin(c.(*Campaign)) }
	a.Leave[fsm.Leader] = func(m fsm.Move, c any) { n.end(c.(*Campaign), m.Reason) }
	a.Moved = func(m fsm.Move, c any) { n.moved(c.(*Campaign), m) }
	n.table = fsm.NewTable(a)
	return n, nil
}

// Holder returns who this node is in the store: its name and metadata, and the incarnation drawn by New.
func (n *Node) Holder() lease.Holder { return n.holder }

// Campaign adds an election. It stands as soon as Run does its work, at once if Run is already under way. The error
// names every fault of e, or that the node already stands for that key, has too many elections or has ended.
func (n *Node) Campaign(e Election) (*Campaign, error) {
	t, err := e.timing(0, n.config.Manager)
	if err = errors.Join(e.check(n.config.Manager), err); err != nil {
		return nil, err
	}
	c := &Campaign{node: n, key: e.Key}
	if e.Lead != nil || e.Heartbeat != nil || e.TTLFunc != nil {
		c.extra = &extra{election: e, beatAt: fsm.Never}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.ended:
		return nil, fmt.Errorf("actor: election %q: %w", e.Key, ErrStopped)
	case n.campaigns[e.Key] != nil:
		return nil, fmt.Errorf("actor: election %q: this node already stands in it; withdraw the other first", e.Key)
	case len(n.campaigns) >= n.config.MaxElections:
		return nil, fmt.Errorf("actor: election %q: the node has %d elections, as many as Config.MaxElections allows",
			e.Key, len(n.campaigns))
	}
	c.machine = fsm.New(n.shared(t), seed(n.config.Seed, e.Key))
	if e.Paused {
		c.machine, _ = c.machine.Step(fsm.Input{Kind: fsm.Pause})
	}
	c.status.write(&c.machine, 0, 0, nil)
	n.campaigns[e.Key] = c
	n.mail.post(message{what: added, c: c})
	return c, nil
}

// shared returns the one copy of t. The caller holds n.mu.
func (n *Node) shared(t fsm.Timing) *fsm.Timing {
	s := n.timings[t]
	if s == nil {
		s = &t
		if len(n.timings) < 1024 { // a TTLFunc may return ever new lengths
			n.timings[t] = s
		}
	}
	return s
}

// seed makes the elections of a node, and one election on several nodes, draw different jitter (FNV-1a).
func seed(s uint64, key string) uint64 {
	s ^= 0xcbf29ce484222325
	for i := range len(key) {
		s = (s ^ uint64(key[i])) * 0x100000001b3
	}
	return s
}

// Campaigns returns the elections that have not ended, in no order, as they were when the loop began.
func (n *Node) Campaigns() iter.Seq[*Campaign] {
	return func(yield func(*Campaign) bool) {
		n.mu.Lock()
		all := make([]*Campaign, 0, len(n.campaigns))
		for _, c := range n.campaigns {
			all = append(all, c)
		}
		n.mu.Unlock()
		for _, c := range all {
			if !yield(c) {
				return
			}
		}
	}
}

// Find returns the election of key, or nil if the node does not stand in it.
func (n *Node) Find(key string) *Campaign {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.campaigns[key]
}

// Subscribe begins a subscription to the events of this node, or of one election with Options.Key; see package events.
// A subscription with the context of Run ends when that does, before the last events: to see those, give it one that
// lasts longer. It ends by itself after the last event of the node.
func (n *Node) Subscribe(ctx context.Context, o events.Options) (*events.Subscription, error) {
	return n.hub.Subscribe(ctx, o)
}

// Events returns the events of this node, or of one election with Options.Key, as a sequence to range over.
func (n *Node) Events(ctx context.Context, o events.Options) iter.Seq[events.Transition] {
	return n.hub.Events(ctx, o)
}

// snapshot yields the present state of one election or of all.
func (n *Node) snapshot(key string) iter.Seq[events.Transition] {
	return func(yield func(events.Transition) bool) {
		if key != "" {
			if c := n.Find(key); c != nil {
				yield(c.present())
			}
			return
		}
		for c := range n.Campaigns() {
			if !yield(c.present()) {
				return
			}
		}
	}
}
