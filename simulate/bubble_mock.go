package simulate

import (
	"context"
	"slices"
	"time"

	"github.com/benbjohnson/clock"
)

// Mocks has every process run on a [clock.Mock] of its own: its node on the bare Mock, as in a test of the user's that
// sets one forward by hand, and the work on what [World.ClockOf] returns, which is the same Mock and takes down what
// it is asked for. The driver sets them forward whenever something happens. What the nodes do is the same as without
// Mocks, to the digest, and a test of this package holds it to that.
//
// A Mock shows the true time, and while it is set forward its timers fire on the way. So no process can stand still or
// be slow, and no clock drift or jump: Pause, Sleep, Brink, Slow, Drift and Forward are refused. Package time stands
// still; the work is to use ClockOf only. Tick and Ticker work, and Stop of every timer; a timer that was Reset fires
// with the next thing that happens, because the driver cannot know of it.
func (w *World) Mocks() { w.mocks = true }

// onMocks reports whether f can be played on Mocks.
func onMocks(f Fault) bool {
	switch f.Kind {
	case Pause, Sleep, Brink, Slow, Drift, Forward:
		return false
	}
	return true
}

// mockClock is the Mock of a process as its work sees it. It tells the driver when there will be something to do.
type mockClock struct {
	*clock.Mock
	w *World
}

// ring is an instant at which the driver has to set the Mocks forward, once or every so often.
type ring struct {
	at, every int64
}

// newMock returns a Mock that shows the true time.
func (w *World) newMock() *clock.Mock {
	m := clock.NewMock()
	m.Set(w.start.Round(0).Add(w.Now()))
	return m
}

// setMocks sets all Mocks forward to the true time. A machine that waits for this very instant makes its step first.
func (w *World) setMocks() {
	s := &w.world
	for _, p := range w.all {
		select {
		case <-p.ended:
			continue
		default:
		}
		if n := &s.nodes[p.number]; w.procs[p.number] == p && n.up && n.machine.Wake() <= s.local(n) {
			w.tick(p.number)
			continue
		}
		p.setMock()
	}
}

func (p *process) setMock() { p.mock.Set(p.w.start.Round(0).Add(time.Duration(p.w.world.now))) }

// collectRings schedules what the Mocks were asked for.
func (w *World) collectRings(all []ring) {
	slices.SortFunc(all, func(a, b ring) int { return int(a.at - b.at) })
	for _, r := range all {
		w.world.push(item{at: max(r.at, w.world.now), do: rings, left: r.every})
	}
}

// note tells the driver that something happens when d has passed, and from then on every so often.
func (c mockClock) note(d, every time.Duration) {
	c.w.mu.Lock()
	c.w.inbox.rings = append(c.w.inbox.rings, ring{int64(c.w.Now() + max(d, 0)), int64(every)})
	c.w.mu.Unlock()
	c.w.knock()
}

// AfterFunc has f called on a goroutine of its own when d has passed.
func (c mockClock) AfterFunc(d time.Duration, f func()) *clock.Timer {
	defer c.note(d, 0)
	return c.Mock.AfterFunc(d, f)
}

// Timer returns a timer that sends on its channel when d has passed.
func (c mockClock) Timer(d time.Duration) *clock.Timer {
	defer c.note(d, 0)
	return c.Mock.Timer(d)
}

// After returns a channel on which the time is sent when d has passed.
func (c mockClock) After(d time.Duration) <-chan time.Time { return c.Timer(d).C }

// Sleep returns when d has passed.
func (c mockClock) Sleep(d time.Duration) { <-c.After(d) }

// Ticker returns a ticker that sends on its channel every d, which must be positive.
func (c mockClock) Ticker(d time.Duration) *clock.Ticker {
	defer c.note(d, d)
	return c.Mock.Ticker(d)
}

// Tick returns the channel of a ticker that cannot be stopped.
func (c mockClock) Tick(d time.Duration) <-chan time.Time { return c.Ticker(d).C }

// WithDeadline returns a context that ends at t.
func (c mockClock) WithDeadline(parent context.Context, t time.Time) (context.Context, context.CancelFunc) {
	return withDeadline(c, parent, t) // that of a Mock is not safe to ask from several goroutines
}

// WithTimeout returns a context that ends when d has passed.
func (c mockClock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return withDeadline(c, parent, c.Now().Add(d))
}
