package actor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// what a message tells
type what uint8

const (
	added      what = iota // an election was added
	requested              // somebody asks something of an election
	answered               // a call to the store has returned
	returned               // the work has returned
	beaten                 // a heartbeat has returned
	changed                // the watch has left news
	watchBegan             // Watch has returned
	watchEnded             // the stop function of a watch has returned
	ticked                 // timer number has fired
	stopped                // the context of Run has ended
	joined                 // Config.JoinLimit is over
)

type message struct {
	what   what
	op     fsm.Op
	number uint64
	term   lease.Term
	c      *Campaign
	err    error
	took   time.Duration
	stop   func()
}

// Run stands in all elections of the node until ctx ends; then it stops leading, waits for the work to return, releases
// what it holds and returns. It owns every goroutine of the node and has joined them all when it returns, except calls
// to the store that do not return within Config.JoinLimit: those it names in an ErrUnjoined. It waits for work and
// heartbeats as long as they take. The values of ctx reach the calls and the work; its end reaches the work as an
// [Ended] with reason Stopped. The error of an election that ended on its own is at [Campaign.Err]. A second Run
// returns ErrRan.
func (n *Node) Run(ctx context.Context) error {
	if !n.ran.CompareAndSwap(false, true) {
		return ErrRan
	}
	base := context.WithoutCancel(ctx)
	n.fork = func() (context.Context, context.CancelCauseFunc) { return context.WithCancelCause(base) }
	n.stopping = ctx.Err() != nil // nothing is ever asked of the store then
	release := context.AfterFunc(ctx, func() { n.mail.post(message{what: stopped}) })
	defer release()
	n.log.Debug("node runs", "incarnation", n.holder.Incarnation)
	var batch []message
	for n.advance(); !n.over(); {
		n.arm()
		batch = n.mail.take(batch)
		n.advance()
		for i := range batch {
			n.handle(&batch[i])
			n.tick()
		}
	}
	for _, disarm := range []func() bool{n.disarm, n.unjoin} {
		if disarm != nil {
			disarm()
		}
	}
	n.due.Store(int64(fsm.Never))
	err := n.abandon()
	n.hub.Close()
	n.log.Debug("node ended")
	return err
}

// over reports whether Run has nothing left to do, and if so keeps it that way.
func (n *Node) over() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.stopping || (len(n.campaigns) > 0 || n.busy > 0) && !n.gaveUp {
		return false
	}
	n.ended = n.mail.close(n.gaveUp)
	return n.ended
}

// abandon ends what is left after JoinLimit, and returns the error that names it.
func (n *Node) abandon() error {
	if n.busy == 0 {
		return nil
	}
	for c := range n.Campaigns() { // a call to Watch has not returned, or none was left to end the watch with
		n.left[c] = struct{}{}
		if c.watch == watched || c.watch == unwatching && c.stopWatch != nil {
			go c.stopWatch()
		}
		n.close(c)
	}
	var first *Campaign
	for c := range n.left {
		if first == nil || cmp.Less(c.key, first.key) {
			first = c
		}
	}
	err := fmt.Errorf("%w: %d after %v", ErrUnjoined, n.busy, n.config.JoinLimit)
	if first != nil {
		err = fmt.Errorf("%w, one of them for %q", err, first.key)
	}
	return err
}

// advance reads the clock.
func (n *Node) advance() {
	now, jump := n.clock.advance()
	n.now = now
	if jump > 0 {
		n.log.Warn("host slept or its clock was set forward", "by", jump)
		if n.config.Hooks.Slept != nil {
			n.config.Hooks.Slept(jump)
		}
	}
}

func (n *Node) handle(m *message) {
	switch m.what {
	case added:
		n.add(m.c)
	case requested:
		n.requested(m.c)
	case answered:
		n.answered(m)
	case returned:
		n.drained(m.c, m.err)
	case beaten:
		n.beaten(m.c, m.err)
	case changed:
		n.changed(m.c)
	case watchBegan, watchEnded:
		n.watching(m)
	case ticked:
		if m.number == n.timer { // not one that fired while it was being replaced
			n.armed, n.disarm = fsm.Never, nil
		}
	case stopped:
		n.stopping = true
		for c := range n.Campaigns() {
			if c.added { // of the others a message is waiting
				n.step(c, fsm.Input{Kind: fsm.Stop}, nil)
				n.settle(c)
			}
		}
	case joined:
		n.gaveUp = true
	}
	if m.c != nil {
		n.settle(m.c)
	}
	n.join()
}

func (n *Node) add(c *Campaign) {
	c.added = true
	n.undone++
	if x := c.extra; x != nil && x.election.Heartbeat != nil {
		if x.election.HeartbeatEvery == 0 {
			x.election.HeartbeatEvery = defaultHeartbeat
		}
		x.beatAt = n.now.Add(x.election.HeartbeatEvery)
	}
	if n.stopping {
		n.step(c, fsm.Input{Kind: fsm.Stop}, nil)
		return
	}
	n.watchKey(c)
	n.step(c, fsm.Input{Kind: fsm.Tick}, nil)
}

// requested takes in all that has been asked of c since the last time.
func (n *Node) requested(c *Campaign) {
	asked := c.asked.Swap(0)
	order := [...]fsm.Kind{fsm.Resign, fsm.HandOver, fsm.Pause, fsm.Resume, fsm.Stop}
	if asked&pausedLast != 0 {
		order[2], order[3] = fsm.Resume, fsm.Pause
	}
	for _, k := range order {
		if asked&(1<<k) != 0 {
			n.step(c, fsm.Input{Kind: k}, nil)
		}
	}
}

// settle schedules c and, once nothing of an election that is over runs any more, takes it off the node.
func (n *Node) settle(c *Campaign) {
	n.schedule(c)
	if c.closed || !c.machine.Done() {
		return
	}
	if x := c.extra; x != nil && x.beating {
		x.stopBeat(nil)
		return
	}
	if !c.over {
		c.over = true
		n.undone--
	}
	if c.watch == watched {
		n.unwatch(c)
	}
	if c.watch != unwatched {
		return
	}
	if c.out > 0 {
		n.left[c] = struct{}{}
	}
	n.close(c)
}

// close takes c off the node.
func (n *Node) close(c *Campaign) {
	c.closed = true
	n.heap.set(c, fsm.Never)
	n.mu.Lock()
	delete(n.campaigns, c.key)
	n.mu.Unlock()
	c.close()
}

// join begins to wait for calls that do not return, once nothing else is left to wait for.
func (n *Node) join() {
	if !n.stopping || n.joining || n.busy == 0 || n.undone > 0 {
		return
	}
	n.joining = true
	n.unjoin = n.config.Clock.AfterFunc(n.config.JoinLimit, func() { n.mail.post(message{what: joined}) }).Stop
}

// Run stands for key on m with work, under a name made from host and process, with a lease of 15 s, until ctx ends or
// work says that the election is over: then with work's error. It is New, Campaign and Run of a Node for one election.
func Run(ctx context.Context, m lease.Manager, key string, work func(ctx context.Context, t *Tenure) error) error {
	n, err := New(Config{Manager: m})
	if err != nil {
		return err
	}
	c, err := n.Campaign(Election{Key: key, Lead: work})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-c.Done()
		cancel()
	}()
	err = n.Run(ctx)
	<-ended
	return errors.Join(err, c.Err())
}
