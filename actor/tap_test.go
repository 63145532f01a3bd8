package actor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// tap passes calls on to a Manager and keeps a list of them.
type tap struct {
	lease.Manager
	now    func() time.Duration
	before func(call) // told of each call before it is passed on, if not nil

	mu    sync.Mutex
	calls []*call
	runs  int // now
	most  int // at once, ever
}

// call is a call to the store as tap saw it.
type call struct {
	op       fsm.Op
	lease    lease.Lease // what it was about; for an Acquire what was granted
	ttl      time.Duration
	deadline time.Time
	sent     time.Duration // since the world began
	done     bool
	err      error
}

func (t *tap) pass(ctx context.Context, c *call, do func() error) {
	c.sent = t.now()
	c.deadline, _ = ctx.Deadline()
	t.mu.Lock()
	t.calls = append(t.calls, c)
	t.runs++
	t.most = max(t.most, t.runs)
	before := t.before
	t.mu.Unlock()
	if before != nil {
		before(*c)
	}
	err := do()
	t.mu.Lock()
	c.err, c.done = err, true
	t.runs--
	t.mu.Unlock()
}

func (t *tap) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (l lease.Lease, err error) {
	c := &call{op: fsm.Acquire, lease: lease.Lease{Key: key, Holder: h}, ttl: ttl}
	t.pass(ctx, c, func() error {
		l, err = t.Manager.Acquire(ctx, key, h, ttl)
		t.mu.Lock()
		c.lease.Term = l.Term
		t.mu.Unlock()
		return err
	})
	return l, err
}

func (t *tap) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) (err error) {
	t.pass(ctx, &call{op: fsm.Renew, lease: l, ttl: ttl}, func() error {
		err = t.Manager.Renew(ctx, l, ttl)
		return err
	})
	return err
}

func (t *tap) Release(ctx context.Context, l lease.Lease) (err error) {
	t.pass(ctx, &call{op: fsm.Release, lease: l}, func() error {
		err = t.Manager.Release(ctx, l)
		return err
	})
	return err
}

// list tells the calls so far: when each was sent, what it was, under which term, and how it ended.
func (t *tap) list() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.calls {
		s := fmt.Sprintf("%gs %s %d", c.sent.Seconds(), c.op, c.lease.Term)
		if !c.done {
			s += " ..."
		} else if c.err != nil {
			s += " !"
		}
		list = append(list, s)
	}
	return list
}

// count returns how many calls of op there were.
func (t *tap) count(op fsm.Op) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.calls {
		if c.op == op {
			n++
		}
	}
	return n
}
