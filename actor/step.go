package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// lookout is how long the actor sleeps at most while it leads anything. Timers stand still while a host sleeps, so that
// it would be late by what was left of the timer in noticing that it slept (R11).
const lookout = time.Second

// tick steps every machine whose time has come.
func (n *Node) tick() {
	for len(n.heap) > 0 && n.heap[0].at <= n.now {
		c := n.heap[0].c
		n.step(c, fsm.Input{Kind: fsm.Tick}, nil)
		n.beat(c)
		n.settle(c)
		n.join()
	}
}

// schedule puts c where its next instant belongs.
func (n *Node) schedule(c *Campaign) {
	at := c.machine.Wake()
	if c.extra != nil {
		at = min(at, c.extra.beatAt)
	}
	if c.closed {
		at = fsm.Never
	}
	n.heap.set(c, at)
}

// arm makes the timer fire no later than the first instant in the heap. One that fires too early does no harm.
func (n *Node) arm() {
	at := fsm.Never
	if len(n.heap) > 0 {
		at = n.heap[0].at
	}
	n.due.Store(int64(at))
	if n.leading > 0 {
		at = min(at, n.now.Add(lookout))
	}
	if at >= n.armed {
		return
	}
	if n.disarm != nil {
		n.disarm()
	}
	n.timer++
	n.armed = at
	fired := message{what: ticked, number: n.timer}
	n.disarm = n.config.Clock.AfterFunc(max(at.Sub(n.now), 1), func() { n.mail.post(fired) }).Stop
}

// step gives in to the machine of c and does what follows from it, until the machine has nothing left to do at this
// instant. err is the error behind in.
func (n *Node) step(c *Campaign, in fsm.Input, err error) {
	if c.closed {
		return
	}
	n.advance() // here and not once per message: a hook or the handler of the log may have taken its time before
	for {
		in.Now = n.now
		was := c.machine
		next, call := was.Step(in)
		if call.Op == fsm.Acquire && was.State() == fsm.Follower && n.retime(c) {
			was = c.machine
			next, call = was.Step(in)
		}
		c.machine = next
		if late := n.giveUp(c, &was, in.Kind); late != nil {
			err = late
		}
		if next.State() != was.State() {
			n.move(c, was.State(), err)
		} else {
			n.stayed(c, &was)
		}
		if call.Op != fsm.NoCall {
			n.call(c, call)
		}
		switch {
		case c.working && next.State() != fsm.Leader && !c.leads(): // nobody's work: it takes no time to return
			c.working, in = false, fsm.Input{Kind: fsm.Drained}
		case next.Wake() <= n.now:
			in = fsm.Input{Kind: fsm.Tick}
		default:
			return
		}
		err = nil
	}
}

// giveUp ends the context of a call whose answer the machine no longer awaits. If that is because time is up, it
// returns the error that there was no answer.
func (n *Node) giveUp(c *Campaign, was *fsm.Machine, k fsm.Kind) error {
	op, number := was.Awaits()
	_, after := c.machine.Awaits()
	if number == 0 || number == after {
		return nil
	}
	made := c.cancel != nil
	if made {
		c.cancel(nil)
		c.cancel = nil
	}
	if k != fsm.Tick {
		return nil
	}
	var err error = &unanswered{op, c.key, number, context.DeadlineExceeded}
	if !made {
		err = fmt.Errorf("actor: %s %q: not sent in time, since %d calls are under way: %w", op, c.key, n.busy,
			context.DeadlineExceeded)
	}
	n.complain(c, fsm.Input{Kind: fsm.Unknown, Op: op}, err)
	return err
}

// leads reports whether c has work to run.
func (c *Campaign) leads() bool { return c.extra != nil && c.extra.election.Lead != nil }

// stayed takes in a step that changed no state.
func (n *Node) stayed(c *Campaign, was *fsm.Machine) {
	m := &c.machine
	if m.Overran() && !was.Overran() {
		n.overran(c)
	} else if m.Paused() != was.Paused() || m.Term() != was.Term() {
		c.status.write(m, c.status.seq.Load(), c.status.at.Load(), c.status.leader.Load())
	} else if m.Until() != was.Until() {
		c.status.until.Store(int64(m.Until()))
	}
}

// retime asks for the length of the lease that is about to be applied for, and reports whether that changes it.
func (n *Node) retime(c *Campaign) bool {
	if c.extra == nil || c.extra.election.TTLFunc == nil {
		return false
	}
	x := c.extra
	ttl := x.election.TTLFunc()
	if ttl == c.machine.Timing().TTL {
		return false
	}
	t, err := x.election.timing(ttl, n.config.Manager)
	if err = errors.Join(err, (lease.Limits{}).Check(ttl)); err != nil {
		if !x.unfit {
			n.log.Error("TTLFunc returned a length that cannot be used", "key", c.key, "ttl", ttl, "err", err)
		}
		x.unfit = true
		return false
	}
	x.unfit = false
	n.mu.Lock()
	c.machine = c.machine.Retimed(n.shared(t))
	n.mu.Unlock()
	return true
}
