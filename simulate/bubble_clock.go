package simulate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/fsm"
)

// nodeClock is the clock of a process, or the true time. Its timers stand in the driver's queue.
type nodeClock struct {
	clock.Clock // Tick and Ticker are those of the bubble
	w           *World
	p           *process // nil: the true time
	actors      bool     // its timers are the actor's
	base        time.Time
	dormant     *clock.Mock // makes timers whose Stop works, and never fires one
	timers      []*timer    // that are waiting, in the order of their numbers; the driver's

	mu                 sync.Mutex
	since, shown, rate int64 // as in node
}

// timer is a timer that has not fired, or was stopped and has not been swept out.
type timer struct {
	clock      *nodeClock
	at         fsm.Instant // by its clock
	stop       *clock.Timer
	f          func()
	number     uint64
	generation uint64 // its place in the queue; older ones are void
}

func (t *timer) fire() {
	if t.stop.Stop() {
		go t.f()
	}
}

func newNodeClock(w *World, p *process, actors bool) *nodeClock {
	c := &nodeClock{Clock: w.real, w: w, p: p, actors: actors, base: w.start.Round(0), dormant: clock.NewMock()}
	if p != nil {
		c.base = c.base.Add(time.Duration(w.world.now))
		c.set(&w.world.nodes[p.number])
	}
	return c
}

// set gives c the reading and rate of the clock of n, and reports whether that changes it.
func (c *nodeClock) set(n *node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.since != n.since || c.shown != n.shown || c.rate != n.rate
	c.since, c.shown, c.rate = n.since, n.shown, n.rate
	return changed
}

// order makes an order among clocks.
func (c *nodeClock) order() int {
	switch {
	case c.p == nil:
		return -1
	case c.actors:
		return 2 * int(c.p.number)
	}
	return 2*int(c.p.number) + 1
}

func (c *nodeClock) local() fsm.Instant {
	now := int64(c.w.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := now - c.since // as world.local
	return fsm.Instant(c.shown + passed + passed*c.rate/1e6)
}

// when is the first true time at which c shows at, or later.
func (c *nodeClock) when(at fsm.Instant, now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	fast := 1e6 + c.rate // as world.when
	return max(now, c.since+((int64(at)-c.shown)*1e6+fast-1)/fast)
}

// Now returns the time, without a monotonic reading.
func (c *nodeClock) Now() time.Time { return c.base.Add(time.Duration(c.local())) }

// Since returns how much time has passed since t.
func (c *nodeClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Until returns how much time will pass until t.
func (c *nodeClock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// AfterFunc has f called on a goroutine of its own when d has passed.
func (c *nodeClock) AfterFunc(d time.Duration, f func()) *clock.Timer {
	t := &timer{clock: c, at: c.local().Add(max(d, 0)), stop: c.dormant.AfterFunc(1<<62, func() {}), f: f}
	c.w.mu.Lock()
	c.w.inbox.timers = append(c.w.inbox.timers, t)
	c.w.mu.Unlock()
	c.w.knock()
	return t.stop
}

// Timer returns a timer that sends on its channel when d has passed. It can be stopped, not reset.
func (c *nodeClock) Timer(d time.Duration) *clock.Timer {
	fired := make(chan time.Time, 1)
	t := c.AfterFunc(d, func() { fired <- c.Now() })
	t.C = fired
	return t
}

// After returns a channel on which the time is sent when d has passed.
func (c *nodeClock) After(d time.Duration) <-chan time.Time { return c.Timer(d).C }

// Sleep returns when d has passed.
func (c *nodeClock) Sleep(d time.Duration) { <-c.After(d) }

// WithDeadline returns a context that ends at t.
func (c *nodeClock) WithDeadline(parent context.Context, t time.Time) (context.Context, context.CancelFunc) {
	return withDeadline(c, parent, t)
}

// WithTimeout returns a context that ends when d has passed.
func (c *nodeClock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return withDeadline(c, parent, c.Now().Add(d))
}

func withDeadline(c clock.Clock, parent context.Context, t time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := c.AfterFunc(c.Until(t), func() { cancel(context.DeadlineExceeded) })
	return timedContext{ctx, t}, func() {
		stop.Stop()
		cancel(nil)
	}
}

// timedContext tells an end by the clock from others.
type timedContext struct {
	context.Context
	deadline time.Time
}

// Deadline returns when the context ends at the latest.
func (c timedContext) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Err says how the context has ended.
func (c timedContext) Err() error {
	if err := c.Context.Err(); err != nil && errors.Is(context.Cause(c.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	} else if err != nil {
		return err
	}
	return nil
}
