package actor

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Tenure is one term of leadership, as the work sees it. Its methods may be called from anywhere, also after its end.
type Tenure struct {
	c      *Campaign
	lease  lease.Lease
	over   atomic.Bool
	cancel context.CancelCauseFunc
}

// Key returns what is led.
func (t *Tenure) Key() string { return t.lease.Key }

// Term returns the fencing token: send it along with every write, to a resource that refuses smaller ones.
func (t *Tenure) Term() lease.Term { return t.lease.Term }

// Lease returns the lease that this tenure stands on.
func (t *Tenure) Lease() lease.Lease { return t.lease }

// Leading reports whether this node leads under this term at this moment. It turns false at the deadline of the lease
// whatever the store, the network or the scheduler are doing; once the context of the work has ended, for good. Ask
// before a critical step; what must not go wrong is guarded by Term.
func (t *Tenure) Leading() bool { return !t.over.Load() && t.Remaining() > 0 }

// Remaining returns for how much longer this node may act under the lease if it is not renewed once more; 0 when that
// is over. While work winds down after a voluntary end the lease goes on being renewed, so it may be positive while
// Leading is false.
func (t *Tenure) Remaining() time.Duration {
	st, _, until := t.c.status.read()
	if st.State < fsm.Leader || st.Term != t.lease.Term {
		return 0
	}
	return max(0, until.Sub(t.c.node.clock.now()))
}

// begin starts the work of c: the action on entering Leader.
func (n *Node) begin(c *Campaign) {
	n.leading++
	c.working = true
	if !c.leads() {
		return
	}
	ctx, cancel := n.fork()
	t := &Tenure{
		c: c, cancel: cancel,
		lease: lease.Lease{Key: c.key, Holder: n.holder, Term: c.machine.Term()},
	}
	c.extra.tenure = t
	lead := c.extra.election.Lead
	go func() {
		err := errors.New("actor: the work ended its goroutine") // by runtime.Goexit; a panic ends the process
		defer func() { n.mail.post(message{what: returned, c: c, err: err}) }()
		err = lead(ctx, t)
	}()
}

// end tells the work to stop: the action on leaving Leader, before anything else is done about it (R2).
func (n *Node) end(c *Campaign, r fsm.Reason) {
	n.leading--
	if c.extra == nil || c.extra.tenure == nil {
		return
	}
	t := c.extra.tenure
	t.over.Store(true)
	ended := &Ended{Key: c.key, Term: t.lease.Term, Reason: r}
	if r == fsm.Lost {
		ended.Err = n.cause
	} else if r == fsm.Expired {
		ended.Err = c.status.lastErr()
	}
	t.cancel(ended)
}

// drained takes in that the work has returned.
func (n *Node) drained(c *Campaign, err error) {
	in := fsm.Input{Kind: fsm.Drained}
	switch {
	case errors.Is(err, ErrOver):
		in.Outcome = fsm.Over
		if err == ErrOver {
			err = nil // said, not failed
		} else {
			c.extra.err = err
		}
	case err != nil:
		in.Outcome = fsm.Errored
		if c.machine.State() == fsm.Leader {
			n.log.Error("work failed", "key", c.key, "term", c.machine.Term(), "err", err)
		}
	}
	c.working = false
	n.step(c, in, err)
	c.extra.tenure.cancel(nil) // frees the context; the cause is known by now
	c.extra.tenure = nil
}

// move has the table make the move of c away from from, whose actions begin and end the work and publish.
func (n *Node) move(c *Campaign, from fsm.State, err error) {
	m := fsm.Move{From: from, Reason: c.machine.Reason(), To: c.machine.State()}
	leader := c.status.leader.Load()
	switch {
	case m.To == fsm.Leader:
		leader = &n.holder
	case m.From == fsm.Leader:
		leader = nil
	}
	n.seq++
	c.status.write(&c.machine, n.seq, n.config.Clock.Now().UnixNano(), leader)
	n.cause = err
	if err := n.table.Fire(m, c); err != nil {
		panic(err) // the exploration of package fsm proves that a Machine makes legal moves only
	}
}

// moved publishes a move: the action after every one.
func (n *Node) moved(c *Campaign, m fsm.Move) {
	t := n.event(c, events.Moved)
	t.From, t.Err = m.From, n.cause
	switch m.Reason {
	case fsm.Held, fsm.Won:
		t.Err = nil // not a fault
	case fsm.Expired, fsm.Abandoned: // the fault is what the store did before, not what came in just now
		t.Err = c.status.lastErr()
	}
	level := slog.LevelDebug
	if m.From >= fsm.Leader || m.To >= fsm.Leader {
		level = slog.LevelInfo
	}
	if ctx := context.Background(); n.log.Enabled(ctx, level) { // or else the arguments alone cost more than the move
		n.log.Log(ctx, level, "moved", "key", c.key, "from", m.From.String(), "to", m.To.String(),
			"reason", m.Reason.String(), "term", t.Term, "err", t.Err)
	}
	n.publish(t)
}

// overran reports work that has outstayed its limit.
func (n *Node) overran(c *Campaign) {
	n.seq++
	c.status.write(&c.machine, n.seq, c.status.at.Load(), c.status.leader.Load())
	n.log.Error("work has not returned in time; it may run beside the next leader's",
		"key", c.key, "term", c.machine.Term())
	n.publish(n.event(c, events.Overrun))
}

// event describes what is true of c now.
func (n *Node) event(c *Campaign, k events.Kind) events.Transition {
	t := c.present()
	t.Seq, t.Kind, t.Snapshot, t.At, t.Err = n.seq, k, false, n.config.Clock.Now(), nil
	return t
}

func (n *Node) publish(t events.Transition) {
	if n.config.Hooks.Moved != nil {
		n.config.Hooks.Moved(t)
	}
	n.hub.Publish(t)
}

// beat begins a heartbeat of c if one is due.
func (n *Node) beat(c *Campaign) {
	x := c.extra
	if x == nil || x.beatAt > n.now {
		return
	}
	if c.machine.Done() {
		x.beatAt = fsm.Never
		return
	}
	x.beating, x.beatAt = true, fsm.Never
	x.beatNext = n.now.Add(x.election.HeartbeatEvery)
	ctx, cancel := n.fork()
	x.stopBeat = cancel
	leading := c.Status().Leading
	go func() {
		err := errors.New("actor: the heartbeat ended its goroutine")
		defer func() { n.mail.post(message{what: beaten, c: c, err: err}) }()
		err = x.election.Heartbeat(ctx, leading)
	}()
}

// beaten takes in that a heartbeat has returned. Its error ends the election.
func (n *Node) beaten(c *Campaign, err error) {
	x := c.extra
	x.beating = false
	x.stopBeat(nil)
	x.beatAt = max(x.beatNext, n.now)
	if err == nil || c.machine.Done() {
		return
	}
	x.beatAt = fsm.Never
	x.err = errors.Join(x.err, err)
	n.log.Error("heartbeat failed; leaving the election", "key", c.key, "err", err)
	n.step(c, fsm.Input{Kind: fsm.Stop}, nil)
}
