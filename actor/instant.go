package actor

import (
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/fsm"
)

const (
	// sleepMargin is how far the wall clock may run ahead of the monotonic clock between two readings without a sleep of
	// the host being suspected. It only keeps the steps of a disciplined clock from adding up.
	sleepMargin = 50 * time.Millisecond
	// noteMargin is how far the two clocks may drift apart before that is noted, so that most readings write nothing.
	noteMargin = time.Millisecond
)

// timepiece tells the node's Instant: time that the host spent, asleep or awake. Go's monotonic clock stands still
// while a host sleeps and the store's clock does not, so when the wall clock has run ahead, the host has slept as long,
// or its wall clock was set, which cannot be told apart: the greater length counts (R11). A wall clock that is set back
// is ignored.
type timepiece struct {
	// read returns how far the two clocks have come since start.
	read   func() (mono, wall time.Duration)
	start  time.Time
	noted  atomic.Pointer[drift] // by the actor, for everybody
	latest fsm.Instant           // of the actor
}

// drift is what the actor knows of how the two clocks differ. One pointer to both parts, so that no reader sees a jump
// twice or not at all.
type drift struct {
	offset time.Duration // wall - mono
	slept  time.Duration // how far the wall clock has run ahead, in jumps, all together
}

func newTimepiece(start time.Time, read func() (mono, wall time.Duration)) *timepiece {
	t := &timepiece{start: start, read: read}
	t.noted.Store(&drift{})
	return t
}

// clocks returns what newTimepiece wants: now, and how to read both clocks of c, counted from now.
func clocks(c clock.Clock) (start time.Time, read func() (mono, wall time.Duration)) {
	start = c.Now()
	startWall := start.Round(0)
	return start, func() (mono, wall time.Duration) {
		now := c.Now()
		return now.Sub(start), now.Round(0).Sub(startWall)
	}
}

// advance is now for the actor. It takes note of jumps and returns the latest, 0 if there was none. It never goes back.
func (t *timepiece) advance() (now fsm.Instant, jump time.Duration) {
	mono, wall := t.read()
	was := t.noted.Load()
	slept := was.slept
	switch ahead := wall - mono - was.offset; {
	case ahead > sleepMargin:
		jump = ahead
		slept += ahead
		t.noted.Store(&drift{wall - mono, slept})
	case ahead > noteMargin || ahead < -noteMargin:
		t.noted.Store(&drift{wall - mono, slept})
	}
	t.latest = max(t.latest, fsm.Instant(mono+slept))
	return t.latest, jump
}

// time is i as the clock shows it, unless the host sleeps before. It is for the actor.
func (t *timepiece) time(i fsm.Instant) time.Time {
	return t.start.Add(time.Duration(i) - t.noted.Load().slept)
}

// now is the time for everybody else, from any goroutine. It knows of a jump before the actor has noted it.
func (t *timepiece) now() fsm.Instant {
	mono, wall := t.read()
	noted := t.noted.Load()
	now := mono + noted.slept
	if ahead := wall - mono - noted.offset; ahead > sleepMargin {
		now += ahead
	}
	return fsm.Instant(now)
}
