package actor

import (
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// watchKey begins to watch the key of c, if the store can.
func (n *Node) watchKey(c *Campaign) {
	w, ok := n.config.Manager.(lease.Watcher)
	if !ok || n.stopping || c.machine.Done() {
		return
	}
	c.watch = asked
	n.wait(job{c: c, do: func() message {
		stop, err := w.Watch(c.key, c.heard)
		if err == nil && stop == nil {
			stop = func() {}
		}
		return message{what: watchBegan, c: c, stop: stop, err: err}
	}})
}

// heard is told by the watch. Only the newest record waits for the actor.
func (c *Campaign) heard(r lease.Record) {
	if c.news.Swap(&r) == nil {
		c.node.mail.post(message{what: changed, c: c})
	}
}

// unwatch ends the watch of an election that is over.
func (n *Node) unwatch(c *Campaign) {
	stop := c.stopWatch
	c.watch = unwatching
	n.wait(job{c: c, do: func() message {
		stop()
		return message{what: watchEnded, c: c}
	}})
}

// watching takes in that a watch has begun or ended.
func (n *Node) watching(m *message) {
	c := m.c
	n.busy--
	switch {
	case m.what == watchEnded:
		c.watch, c.stopWatch = unwatched, nil
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
	same := leader == old || leader != nil && old != nil && *leader == *old
	if same || c.machine.State() == fsm.Leader || r.Term < c.machine.Term() {
		return
	}
	n.seq++
	c.status.write(&c.machine, n.seq, c.status.at.Load(), leader)
	t := n.event(c, events.Observed)
	n.log.Info("leader observed", "key", c.key, "leader", t.Leader.String(), "term", t.Term)
	n.publish(t)
}
