package actor

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Campaign is this node's part in one election. All its methods may be called from anywhere at any time.
type Campaign struct {
	node   *Node
	key    string
	status status
	news   atomic.Pointer[lease.Record]  // what the watch has shown last and the actor has not read yet
	done   atomic.Pointer[chan struct{}] // made when asked for

	// What follows belongs to the actor.
	machine   fsm.Machine
	extra     *extra                  // nil for an election that is only announced
	cancel    context.CancelCauseFunc // ends the context of the awaited call
	stopWatch func()
	place     int32         // in the heap, from 1 on; 0: not in it
	asked     atomic.Uint32 // a bit for each fsm.Kind that somebody asks for and the actor has not read yet
	out       uint8         // calls that have not returned
	watch     watching
	working   bool    // the work has begun and has not been reported as Drained
	told      gravity // the worst fault of the store that has been logged
	watchTold bool    // the fault of the watch has been logged
	added     bool    // the actor knows it
	over      bool    // nothing runs any more but calls that do not return
	closed    bool
}

// extra is what only elections with functions of the user need.
type extra struct {
	election Election
	tenure   *Tenure
	beatAt   fsm.Instant // when the next heartbeat is due; Never while one runs
	beatNext fsm.Instant // when the one after the running one is due
	beating  bool
	stopBeat context.CancelCauseFunc
	err      error // why the election has ended, if not on request
	unfit    bool  // TTLFunc has returned a length that cannot be used, and that has been logged
}

type watching uint8

const (
	unwatched watching = iota
	asked
	watched
	unwatching
)

// Key returns what the election is about.
func (c *Campaign) Key() string { return c.key }

// Resign makes this node stop leading, if it does; see [fsm.Resign]. It returns before that has happened. ErrStopped if
// the election or the node has ended.
func (c *Campaign) Resign() error { return c.ask(fsm.Resign) }

// HandOver makes this node stop leading, if it does, and stand back until another has led or two TTLs have passed. It
// returns before that has happened. ErrStopped if the election or the node has ended.
func (c *Campaign) HandOver() error { return c.ask(fsm.HandOver) }

// Pause makes this node stop leading, if it does, and not stand until Resume. It returns before that has happened.
// Pausing twice is pausing once. ErrStopped if the election or the node has ended.
func (c *Campaign) Pause() error { return c.ask(fsm.Pause) }

// Resume ends a Pause: the node stands at once. ErrStopped if the election or the
// node has ended.
func (c *Campaign) Resume() error { return c.ask(fsm.Resume) }

// Withdraw ends the election for this node: it stops leading, releases the lease and goes on with its other elections.
// It returns before that has happened; see Done. Withdrawing twice is withdrawing once. ErrStopped if the
// election or the node has ended.
func (c *Campaign) Withdraw() error { return c.ask(fsm.Stop) }

func (c *Campaign) ask(k fsm.Kind) error {
	asked := c.asked.Load()
	for !c.asked.CompareAndSwap(asked, with(asked, k)) {
		asked = c.asked.Load()
	}
	told := c.node.mail.open() // with asked > 0 a message is under way that brings this too
	if asked == 0 {
		told = c.node.mail.post(message{what: requested, c: c})
	}
	if !told || c.done.Load() == &closedChan {
		return fmt.Errorf("actor: %s %q: %w", k, c.key, ErrStopped)
	}
	return nil
}

// pausedLast is the bit that says that of Pause and Resume the former was asked for later.
const pausedLast = 1 << 31

// with returns asked with k asked for as well.
func with(asked uint32, k fsm.Kind) uint32 {
	switch k {
	case fsm.Pause:
		asked |= pausedLast
	case fsm.Resume:
		asked &^= pausedLast
	}
	return asked | 1<<k
}

// Check returns nil while this node leads, and otherwise an ErrNotLeading that says who does. It reads no more than the
// clock and a few words of memory, and turns at the deadline of the lease, whatever else is going on. By the time the
// caller acts the answer may have changed: what must not go wrong is guarded by the term. The context is not used.
func (c *Campaign) Check(context.Context) error {
	if st := c.Status(); !st.Leading {
		if st.Leader.IsZero() || st.Leader.Is(c.node.holder) {
			return fmt.Errorf("%w: %q is %s here, and no leader is known", ErrNotLeading, c.key, st.State)
		}
		return fmt.Errorf("%w: %q is led by %s under term %d", ErrNotLeading, c.key, st.Leader, st.Term)
	}
	return nil
}

// IsLeader is Check under the name that gocron's Elector asks for.
func (c *Campaign) IsLeader(ctx context.Context) error { return c.Check(ctx) }

// Wait returns nil once the election has been in state s, at once if it is now. It returns the cause of ctx if that
// ends before, and ErrStopped if the election or the node ends before.
func (c *Campaign) Wait(ctx context.Context, s fsm.State) error {
	sub, err := c.node.Subscribe(ctx, events.Options{Key: c.key, Policy: events.DropOldest})
	if err == nil {
		defer sub.Close()
		if c.await(sub, s) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("actor: wait for %s of %q: %w", s, c.key, ErrStopped)
}

// await reports whether sub tells of s before it ends, or else of the last event of an election that has ended.
func (c *Campaign) await(sub *events.Subscription, s fsm.State) bool {
	for done, last := c.Done(), uint64(0); ; {
		select {
		case t, ok := <-sub.C():
			if !ok || t.To == s {
				return ok
			}
			last = t.Seq
		case <-done:
			done = nil
		}
		if done == nil && last >= c.status.seq.Load() {
			return false
		}
	}
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done returns a channel that is closed when the election has ended on this node: nothing of it runs any more and
// nothing is held. Its last event has then been published.
func (c *Campaign) Done() <-chan struct{} {
	if d := c.done.Load(); d != nil {
		return *d
	}
	d := make(chan struct{})
	if c.done.CompareAndSwap(nil, &d) {
		return d
	}
	return *c.done.Load()
}

// Err returns nil before Done and after an election that ended on request or with ErrOver itself. Otherwise it returns
// the error of the heartbeat, or that with which work said that the election is over.
func (c *Campaign) Err() error {
	if d := c.done.Load(); d != &closedChan || c.extra == nil {
		return nil
	}
	return c.extra.err
}

// close marks the election as ended.
func (c *Campaign) close() {
	if d := c.done.Swap(&closedChan); d != nil {
		close(*d)
	}
}
