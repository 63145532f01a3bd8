package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	began    fsm.Instant
	deadline fsm.Instant
	do       func() message // a job that is no call of the machine: beginning or ending a watch
}

// queue holds jobs that wait, first in, first out.
type queue struct {
	jobs []job
	head int
}

func (q *queue) push(j job) {
	if len(q.jobs) == cap(q.jobs) {
		q.sweep()
	}
	q.jobs = append(q.jobs, j)
}

// sweep makes room. It drops calls that are no longer awaited, so that the queue holds one call of each election at
// most, however long the store stands still.
func (q *queue) sweep() {
	kept := q.jobs[:0]
	for _, j := range q.jobs[q.head:] {
		if j.wanted() {
			kept = append(kept, j)
		}
	}
	clear(q.jobs[len(kept):])
	if 2*len(kept) > cap(kept) {
		kept = append(make([]job, 0, 2*cap(kept)), kept...)
	}
	q.jobs, q.head = kept, 0
}

// wanted reports whether it is of use to do j.
func (j *job) wanted() bool {
	_, awaited := j.c.machine.Awaits()
	return j.do != nil || j.call.Number == 0 || j.call.Number == awaited
}

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
	case call.Op == fsm.Acquire:
		n.wait(j)
	case n.busy < n.config.MaxCalls:
		n.start(j)
	default:
		n.urgent.push(j)
	}
}

// wait has j done when its turn has come. It leaves a quarter of the calls to renewals and releases: a follower that
// asks a store in vain must not cost a leader its lease.
func (n *Node) wait(j job) {
	if n.busy < n.patience() {
		n.start(j)
	} else {
		n.patient.push(j)
	}
}

// patience is how many calls may be under way when one begins that can wait.
func (n *Node) patience() int { return n.config.MaxCalls - n.config.MaxCalls/4 }

// start begins j on a goroutine of its own. The context of an awaited call is ended by giveUp.
func (n *Node) start(j job) {
	n.busy++
	j.began = n.now
	if j.do != nil {
		go func() {
			if m := j.do(); !n.mail.post(m) && m.stop != nil {
				m.stop() // the node has given up waiting and is gone
			}
		}()
		return
	}
	j.c.out++
	ctx, cancel := n.fork()
	e := &errand{Context: ctx, cancel: cancel, node: n, job: j, until: n.clock.time(j.deadline)}
	if j.call.Number != 0 {
		j.c.cancel = cancel
		go e.run()
		return
	}
	timer := n.config.Clock.AfterFunc(max(j.deadline.Sub(n.now), 1), func() { cancel(nil) })
	go func() {
		defer timer.Stop()
		e.run()
	}()
}

// errand is a call that is being made. It is the context of that call as well: it shows the deadline to clients that
// look at it; the node's own clock ends it.
type errand struct {
	context.Context
	cancel context.CancelCauseFunc
	node   *Node
	job
	until time.Time
}

// Deadline returns when the answer will be of no more use.
func (e *errand) Deadline() (time.Time, bool) { return e.until, true }

// run makes the call and reports. It runs on a goroutine of its own, on the small stack that one begins with if the
// Manager can do with what it leaves; so what is rare is done elsewhere.
func (e *errand) run() {
	defer e.cancel(nil)
	n := e.node
	m := message{what: answered, c: e.c, op: e.call.Op, number: e.call.Number}
	switch e.call.Op {
	case fsm.Acquire:
		m.term, m.err = e.acquire()
	case fsm.Renew:
		m.err = n.config.Manager.Renew(e, lease.Lease{Key: e.c.key, Holder: n.holder, Term: e.call.Term}, e.ttl)
	default:
		m.err = e.release(e, e.call.Term)
	}
	m.took = max(n.clock.now().Sub(e.began), 0)
	if !n.mail.post(m) && m.op == fsm.Acquire && m.err == nil {
		e.handBack(m.term)
	}
}

func (e *errand) release(ctx context.Context, term lease.Term) error {
	return e.node.config.Manager.Release(ctx, lease.Lease{Key: e.c.key, Holder: e.node.holder, Term: term})
}

// acquire asks for the lease and looks at what it is granted, for stores are not to be trusted.
func (e *errand) acquire() (lease.Term, error) {
	got, err := e.node.config.Manager.Acquire(e, e.c.key, e.node.holder, e.ttl)
	if err == nil && (got.Key != e.c.key || !got.Holder.Is(e.node.holder) || got.Term == 0) {
		err = fmt.Errorf("actor: acquire %q: the store granted %v of %q to %v; its Manager is broken",
			e.c.key, got.Term, got.Key, got.Holder)
	}
	return got.Term, err
}

// handBack releases what was granted after the node had given up waiting and was gone (R10).
func (e *errand) handBack(term lease.Term) {
	ctx, cancel := e.node.fork()
	defer e.node.config.Clock.AfterFunc(e.node.config.JoinLimit, func() { cancel(nil) }).Stop()
	defer cancel(nil)
	_ = e.release(ctx, term)
}

// next begins the calls that waited for their turn.
func (n *Node) next() {
	for n.busy < n.config.MaxCalls {
		j, ok := n.urgent.pop()
		if !ok && n.busy < n.patience() {
			j, ok = n.patient.pop()
		}
		if !ok {
			return
		}
		if j.wanted() {
			n.start(j)
		}
	}
}

// answered takes in that a call has returned.
func (n *Node) answered(m *message) {
	c := m.c
	if m.took >= 0 { // it was made
		n.busy--
		if c.out--; c.out == 0 && c.closed {
			delete(n.left, c)
		}
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
		} else if record.Remaining == 0 { // held, for no time: the store rounds down, and goes on doing so for a while
			in.Remaining = c.machine.Timing().TTL / 100
		}
	case m.err != nil:
		in.Kind, in.Permanent = fsm.Unknown, errors.Is(m.err, lease.ErrPermanent)
	}
	if _, awaited := c.machine.Awaits(); awaited == m.number && awaited != 0 {
		c.cancel = nil
		n.complain(c, in, m.err)
	} else if in.Kind == fsm.Unknown {
		n.explain(c, m)
	}
	switch n.step(c, in, m.err); {
	case c.closed:
		in.Now = n.now
		if _, call := c.machine.Step(in); call.Op != fsm.NoCall { // granted too late: hand it back (R10)
			n.call(c, call)
		}
	case refused:
		if c.machine.State() != fsm.Acquiring { // else it stands again already: newer news has come before this answer
			n.observe(c, record)
		}
		if c.watch == unwatched { // the store is there again; perhaps it can be watched now
			n.watchKey(c)
		}
	}
	n.next()
}

// gravity is how bad a fault of the store is.
type gravity uint8

const (
	fine      gravity = iota
	silent            // no answer in time, and no word why: that may come
	passing           // asking again soon may help
	permanent         // somebody has to do something
)

// complain keeps the store's error for Status and logs a fault once, until the store is of use again. Of a call that
// was given up it waits for what the store has to say after all, or for the next. A fault that has become permanent is
// logged anew: a server that is back may refuse what it took before.
func (n *Node) complain(c *Campaign, in fsm.Input, err error) {
	if in.Kind != fsm.Unknown {
		if c.told > silent {
			n.log.Info("store answers again", "key", c.key)
		}
		c.told = fine
		c.status.setErr(nil)
		return
	}
	c.status.setErr(err)
	bad := passing
	if in.Permanent {
		bad = permanent
	} else if u := (*unanswered)(nil); c.told == fine && errors.As(err, &u) && u.why == context.DeadlineExceeded {
		c.told = silent
		return
	}
	if bad > c.told {
		c.told = bad
		n.log.Warn("store gave no usable answer", "key", c.key, "call", in.Op.String(), "permanent", in.Permanent, "err", err)
	}
}

// unanswered is the error of a call that was given up.
type unanswered struct {
	op     fsm.Op
	key    string
	number uint64
	why    error
}

func (u *unanswered) Error() string {
	return fmt.Sprintf("actor: %s %q: no answer in time: %v", u.op, u.key, u.why)
}

func (u *unanswered) Unwrap() []error { return []error{context.DeadlineExceeded, u.why} }

// explain takes in what a call that was given up has returned after all. A client that asks again by itself until its
// time is up tells only then what was wrong: that goes into Status and into the log.
func (n *Node) explain(c *Campaign, m *message) {
	if m.err == context.Canceled || m.err == context.DeadlineExceeded { // which explains nothing
		return
	}
	if u := (*unanswered)(nil); errors.As(c.status.lastErr(), &u) && u.number == m.number {
		n.complain(c, fsm.Input{Kind: fsm.Unknown, Op: m.op}, &unanswered{m.op, c.key, m.number, m.err})
	}
}
