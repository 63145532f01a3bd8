package actor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// With ttl and no jitter: renew every 5 s, poll every 5 s, ask again after 1 s, an answer within 2.5 s, work returns
// within 3 s, drain limit 30 s.
const (
	ttl     = 15 * time.Second
	leadFor = 11850 * time.Millisecond // after sending
)

// world is a test's own time and store, in a bubble. Nothing passes in it unless the test says so, and after each step
// of its clock everything has come to rest.
type world struct {
	*testing.T
	clock *leaper
	store *memory.Manager
	nodes []*node
	start time.Time
}

// leaper is a Mock that can leap: then the time has passed before the first timer that was due in between fires, as
// after a pause of the process.
type leaper struct {
	*clock.Mock
	landed atomic.Int64 // ns since 1970
}

func (l *leaper) Now() time.Time {
	now := l.Mock.Now()
	if landed := time.Unix(0, l.landed.Load()); landed.After(now) {
		return landed
	}
	return now
}

func (l *leaper) Since(t time.Time) time.Duration { return l.Now().Sub(t) }

func (l *leaper) AfterFunc(d time.Duration, f func()) *clock.Timer {
	return l.Mock.AfterFunc(d+l.Now().Sub(l.Mock.Now()), f)
}

// leap lets d pass at once.
func (w *world) leap(d time.Duration) {
	w.clock.landed.Store(w.clock.Now().Add(d).UnixNano())
	w.pass(d)
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &leaper{Mock: clock.NewMock()}
		c.Set(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		w := &world{T: t, clock: c, store: &memory.Manager{Clock: c, Quiet: true}, start: c.Now()}
		defer w.end()
		f(w)
	})
}

// pass lets d pass, once everything has come to rest.
func (w *world) pass(d time.Duration) {
	synctest.Wait()
	if d > 0 {
		w.clock.Add(d)
	}
	synctest.Wait()
}

// now is how much has passed since the beginning.
func (w *world) now() time.Duration { return w.clock.Now().Sub(w.start) }

// end stops all nodes. They have a minute.
func (w *world) end() {
	for _, n := range w.nodes {
		n.cancel()
	}
	for range 60 {
		w.pass(0)
		if !slices.ContainsFunc(w.nodes, func(n *node) bool { return !n.hasEnded() }) {
			return
		}
		w.pass(time.Second)
	}
	w.Error("a node has not ended a minute after it was told to")
}

// node is a Node that runs, with a record of what it did.
type node struct {
	*Node
	w      *world
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run
	tap    *tap

	mu     sync.Mutex
	events []events.Transition
}

// node starts a node on m; nil is the store of the world, watched.
func (w *world) node(name string, m lease.Manager, change ...func(*Config)) *node {
	w.Helper()
	n := w.make(name, m, change...)
	n.run(context.Background())
	return n
}

// make makes a node and does not start it.
func (w *world) make(name string, m lease.Manager, change ...func(*Config)) *node {
	w.Helper()
	if m == nil {
		m = w.store
	}
	n := &node{w: w, tap: &tap{Manager: m, now: w.now}, ended: make(chan struct{})}
	c := Config{Name: name, Manager: n.tap, Clock: w.clock, Seed: 1}
	if watcher, ok := m.(lease.Watcher); ok {
		c.Manager = struct {
			*tap
			lease.Watcher
		}{n.tap, watcher}
	}
	for _, f := range change {
		f(&c)
	}
	told := c.Hooks.Moved
	c.Hooks.Moved = func(t events.Transition) {
		n.mu.Lock()
		n.events = append(n.events, t)
		n.mu.Unlock()
		if told != nil {
			told(t)
		}
	}
	var err error
	if n.Node, err = New(c); err != nil {
		w.Fatal(err)
	}
	return n
}

func (n *node) run(ctx context.Context) {
	ctx, n.cancel = context.WithCancel(ctx)
	n.w.nodes = append(n.w.nodes, n)
	go func() {
		defer close(n.ended)
		n.err = n.Run(ctx)
	}()
	n.w.pass(0)
}

func (n *node) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// campaign adds an election, without jitter unless e says otherwise, and lets it begin.
func (n *node) campaign(e Election) *Campaign {
	n.w.Helper()
	if e.Key == "" {
		e.Key = "billing"
	}
	if e.TTL == 0 && e.Timing.TTL == 0 {
		e.TTL = ttl
	}
	if e.Timing.Jitter == 0 {
		e.Timing.Jitter = -1
	}
	c, err := n.Campaign(e)
	if err != nil {
		n.w.Fatal(err)
	}
	n.w.pass(0)
	return c
}

// story tells what happened to key so far: the reason of each move, who was seen leading, overruns.
func (n *node) story(key string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var s []string
	for _, t := range n.events {
		switch {
		case t.Key != key:
		case t.Kind == events.Moved:
			s = append(s, t.Reason.String())
		case t.Kind == events.Observed:
			s = append(s, fmt.Sprintf("sees %s", t.Leader))
		default:
			s = append(s, t.Kind.String())
		}
	}
	return s
}

// last returns the latest event of key.
func (n *node) last(key string) (last events.Transition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.events {
		if t.Key == key {
			last = t
		}
	}
	return last
}

func (w *world) state(c *Campaign, s fsm.State) {
	w.Helper()
	if got := c.Status().State; got != s {
		w.Fatalf("after %v %q is %s on %s, want %s", w.now(), c.key, got, c.node.config.Name, s)
	}
}

func (w *world) same(what string, got, want any) {
	w.Helper()
	if g, s := fmt.Sprint(got), fmt.Sprint(want); g != s {
		w.Errorf("%s:\n got %s\nwant %s", what, g, s)
	}
}
