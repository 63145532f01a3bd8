package actor

import (
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/fsm"
)

// sleepMargin is how far the wall clock may run ahead of the monotonic clock between two readings without a sleep of
// the host being suspected. It only keeps the steps of a disciplined clock from adding up.
const sleepMargin = 50 * time.Millisecond

// timepiece tells the node's Instant: time that the host spent, asleep or awake. Go's monotonic clock stands still
// while a host sleeps and the store's clock does not, so when the wall clock has run ahead, the host has slept as long, or its wall
// clock was set, which cannot be told apart: the greater length counts (R11). A wall clock that is set back is ignored.
type timepiece struct {
	// read returns how far the two clocks have come since the node was made.
	read   func() (mono, wall time.Duration)
	slept  atomic.Int64 // ns that the wall clock has run ahead, in jumps
	offset atomic.Int64 // wall - mono at the latest reading by the actor
	latest fsm.Instant  // of the actor
}

func newTimepiece(c clock.Clock) *timepiece {
	start := c.Now()
	startWall := start.Round(0)
	return &timepiece{read: func() (mono, wall time.Duration) {
		now := c.Now()
		return now.Sub(start), now.Round(0).Sub(startWall)
	}}
}

// advance is now for the actor. It takes note of jumps and returns the latest, 0 if there was none. It never goes back.
func (t *timepiece) advance() (now fsm.Instant, jump time.Duration) {
	mono, wall := t.read()
	offset := int64(wall - mono)
	if ahead := offset - t.offset.Load(); ahead > int64(sleepMargin) {
		jump = time.Duration(ahead)
		t.slept.Add(ahead) // before offset: a reader in between counts the jump twice, never not at all
	}
	t.offset.Store(offset)
	t.latest = max(t.latest, fsm.Instant(int64(mono)+t.slept.Load()))
	return t.latest, jump
}

// now is the time for everybody else, from any goroutine. It knows of a jump before the actor has noted it.
func (t *timepiece) now() fsm.Instant {
	mono, wall := t.read()
	noted := t.offset.Load()
	i := int64(mono) + t.slept.Load()
	if ahead := int64(wall-mono) - noted; ahead > int64(sleepMargin) {
		i += ahead
	}
	return fsm.Instant(i)
}
