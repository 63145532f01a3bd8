package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// maxOut is how many calls of one election may exist: the awaited one and one that was given up but does not return.
const maxOut = 2

// job is a call that is under way or waits for its turn.
type job struct {
	c        *Campaign
	call     fsm.Call
	ttl      time.Duration
	deadline fsm.Instant
	do       func() message // a job that is no call of the machine: beginning or ending a watch
}

// queue holds jobs that wait, first in, first out.
type queue struct {
	jobs []job
	head int
}

func (q *queue) push(j job) { q.jobs = append(q.jobs, j) }

func (q *queue) pop() (j job, ok bool) {
	if q.head == len(q.jobs) {
		return j, false
	}
	j, q.jobs[q.head] = q.jobs[q.head], job{}
	if q.head++; q.head == len(q.jobs) {
		q.jobs, q.head = nil, 0
	}
	return j, true
}

// call has the store asked, now or when it is its turn.
func (n *Node) call(c *Campaign, call fsm.Call) {
	if c.out >= maxOut && call.Number != 0 {
		n.mail.post(message{what: answered, c: c, op: call.Op, number: call.Number, err: ErrHung, took: -1})
		return
	}
	j := job{c: c, call: call, ttl: c.machine.Timing().TTL, deadline: n.now.Add(call.Timeout)}
	switch {
	case n.busy < n.config.MaxCalls:
		n.start(j)
	case call.Op == fsm.Acquire:
		n.patient.push(j)
	default:
		n.urgent.push(j)
	}
}

// start begins j on a goroutine of its own. The context of an awaited call is ended by giveUp.
func (n *Node) start(j job) {
	n.busy++
	if j.do != nil {
		go func() { n.mail.post(j.do()) }()
		return
	}
	j.c.out++
	left := j.deadline.Sub(n.now)
	ctx, cancel := context.WithCancel(n.base)
	ctx = callContext{ctx, n.config.Clock.Now().Add(left)}
	if j.call.Number != 0 {
		j.c.cancel = cancel
		go n.perform(ctx, cancel, j)
		return
	}
	timer := n.config.Clock.AfterFunc(max(left, 1), cancel)
	go n.perform(ctx, func() { timer.Stop(); cancel() }, j)
}

// callContext shows the deadline of a call to clients that look at it. The node's own clock ends it.
type callContext struct {
	context.Context
	deadline time.Time
}

// Deadline returns when the answer will be of no more use.
func (c callContext) Deadline() (time.Time, bool) { return c.deadline, true }

// giveUp ends the context of a call whose answer the machine no longer awaits.
func (n *Node) giveUp(c *Campaign, was *fsm.Machine) {
	_, before := was.Awaits()
	_, after := c.machine.Awaits()
	if before != 0 && before != after && c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// perform makes the call and reports. It runs on a goroutine of its own.
func (n *Node) perform(ctx context.Context, cancel func(), j job) {
	defer cancel()
	m := message{what: answered, c: j.c, op: j.call.Op, number: j.call.Number}
	l := lease.Lease{Key: j.c.key, Holder: n.holder, Term: j.call.Term}
	began := n.clock.now()
	switch j.call.Op {
	case fsm.Acquire:
		var got lease.Lease
		got, m.err = n.config.Manager.Acquire(ctx, j.c.key, n.holder, j.ttl)
		if m.term = got.Term; m.err == nil && (got.Key != j.c.key || !got.Holder.Is(n.holder) || got.Term == 0) {
			m.err = fmt.Errorf("actor: acquire %q: the store granted %v of %q to %v; its Manager is broken",
				j.c.key, got.Term, got.Key, got.Holder)
		}
	case fsm.Renew:
		m.err = n.config.Manager.Renew(ctx, l, j.ttl)
	default:
		m.err = n.config.Manager.Release(ctx, l)
	}
	m.took = max(n.clock.now().Sub(began), 0)
	if !n.mail.post(m) && m.op == fsm.Acquire && m.err == nil {
		// The node has given up waiting and is gone; hand the grant back all the same (R10).
		l.Term = m.term
		ctx, cancel := context.WithCancel(n.base)
		defer n.config.Clock.AfterFunc(n.config.JoinLimit, cancel).Stop()
		defer cancel()
		_ = n.config.Manager.Release(ctx, l)
	}
}

// next begins the calls that waited for their turn.
func (n *Node) next() {
	for n.busy < n.config.MaxCalls {
		j, ok := n.urgent.pop()
		if !ok {
			j, ok = n.patient.pop()
		}
		if !ok {
			return
		}
		_, awaited := j.c.machine.Awaits()
		if j.do != nil || j.call.Number == 0 || j.call.Number == awaited {
			n.start(j)
		}
	}
}

// answered takes in that a call has returned.
func (n *Node) answered(m *message) {
	c := m.c
	if m.took >= 0 { // it was made
		n.busy--
		c.out--
		if n.config.Hooks.Called != nil {
			n.config.Hooks.Called(c.key, m.op, m.took, m.err)
		}
	}
	in := fsm.Input{Kind: fsm.Granted, Op: m.op, Call: m.number, Term: m.term}
	record, refused := lease.Refusal(m.err)
	refused = refused && errors.Is(m.err, lease.ErrHeld) == (m.op == fsm.Acquire)
	switch {
	case refused:
		in.Kind, in.Term, in.Remaining, in.Who = fsm.Refused, record.Term, record.Remaining, n.who(record)
		if record == (lease.Record{}) {
			in.Remaining = -1
		}
	case m.err != nil:
		in.Kind, in.Permanent = fsm.Unknown, errors.Is(m.err, lease.ErrPermanent)
	}
	if _, awaited := c.machine.Awaits(); awaited == m.number && awaited != 0 {
		c.cancel = nil
		n.complain(c, in, m.err)
	}
	n.step(c, in, m.err)
	if refused && !c.closed {
		n.observe(c, record)
		if c.watch == unwatched { // the store is there again; perhaps it can be watched now
			n.watchKey(c)
		}
	}
	n.next()
}

// who tells the machine whose record it is.
func (n *Node) who(r lease.Record) fsm.Who {
	switch {
	case r.Vacant():
		return fsm.Nobody
	case r.Holder.Is(n.holder):
		return fsm.Us
	}
	return fsm.Other
}

// complain keeps the store's error for Status and logs a fault once, until the store is of use again.
func (n *Node) complain(c *Campaign, in fsm.Input, err error) {
	if in.Kind != fsm.Unknown {
		if c.told {
			n.log.Info("store answers again", "key", c.key)
		}
		c.told = false
		c.status.setErr(nil)
		return
	}
	c.status.setErr(err)
	if !c.told {
		c.told = true
		n.log.Warn("store gave no usable answer", "key", c.key, "call", in.Op.String(), "permanent", in.Permanent, "err", err)
	}
}

// observe takes note of who leads, while it is not this node.
func (n *Node) observe(c *Campaign, r lease.Record) {
	var leader *lease.Holder
	if !r.Vacant() && !r.Holder.Is(n.holder) {
		if n.known == nil || *n.known != r.Holder {
			h := r.Holder
			n.known = &h
		}
		leader = n.known
	}
	old := c.status.leader.Load()
	if c.machine.State() == fsm.Leader || r.Term < c.machine.Term() || leader == old || leader != nil && old != nil && *leader == *old {
		return
	}
	n.seq++
	c.status.write(&c.machine, n.seq, c.status.at.Load(), leader)
	t := n.event(c, events.Observed)
	n.log.Info("leader observed", "key", c.key, "leader", t.Leader.String(), "term", t.Term)
	n.publish(t)
}

// watchKey begins to watch the key of c, if the store can.
func (n *Node) watchKey(c *Campaign) {
	w, ok := n.config.Manager.(lease.Watcher)
	if !ok || n.stopping || c.machine.Done() {
		return
	}
	c.watch = asked
	n.other(job{c: c, do: func() message {
		stop, err := w.Watch(c.key, func(r lease.Record) {
			if c.news.Swap(&r) == nil {
				n.mail.post(message{what: changed, c: c})
			}
		})
		return message{what: watchBegan, c: c, stop: stop, err: err}
	}})
}

// unwatch ends the watch of an election that is over.
func (n *Node) unwatch(c *Campaign) {
	stop := c.stopWatch
	c.watch, c.stopWatch = unwatching, nil
	n.other(job{c: c, do: func() message {
		stop()
		return message{what: watchEnded, c: c}
	}})
}

func (n *Node) other(j job) {
	if n.busy < n.config.MaxCalls {
		n.start(j)
	} else {
		n.patient.push(j)
	}
}

// watching takes in that a watch has begun or ended.
func (n *Node) watching(m *message) {
	c := m.c
	n.busy--
	switch {
	case m.what == watchEnded:
		c.watch = unwatched
	case m.err != nil:
		c.watch = unwatched
		if !c.watchTold {
			c.watchTold = true
			n.log.Warn("store cannot be watched; polling goes on", "key", c.key, "err", m.err)
		}
	default:
		c.watch, c.stopWatch, c.watchTold = watched, m.stop, false
	}
	n.next()
}

// changed takes in what the watch has shown.
func (n *Node) changed(c *Campaign) {
	r := c.news.Swap(nil)
	if r == nil || c.closed {
		return
	}
	var err error
	if c.machine.State() == fsm.Leader && !r.Holder.Is(n.holder) {
		err = &lease.LostError{Lease: lease.Lease{Key: c.key, Holder: n.holder, Term: c.machine.Term()}, Record: *r}
	}
	n.step(c, fsm.Input{Kind: fsm.Seen, Who: n.who(*r), Term: r.Term, Remaining: r.Remaining}, err)
	n.observe(c, *r)
}
