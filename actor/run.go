package actor

import (
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
	requested              // somebody asks an election for request
	answered               // a call to the store has returned
	returned               // the work has returned
	beaten                 // a heartbeat has returned
	changed                // the watch has left news
	watchBegan             // Watch has returned
	watchEnded             // the stop function of a watch has returned
	ticked                 // the timer has fired
	stopped                // the context of Run has ended
	joined                 // Config.JoinLimit is over
)

type message struct {
	what    what
	request fsm.Kind
	op      fsm.Op
	number  uint64
	term    lease.Term
	c       *Campaign
	err     error
	took    time.Duration
	stop    func()
}

// Run stands in all elections of the node until ctx ends; then it stops leading, waits for the work to return, releases what it
// holds and returns. It owns every goroutine of the node and has joined them all when it returns, except calls to the
// store that do not return within Config.JoinLimit: those it names in an ErrUnjoined. It waits for work as long as that
// takes. The values of ctx reach the calls and the work; its end reaches the work as an [Ended] with reason Stopped.
// The error of an election that ended on its own is at [Campaign.Err]. A second Run returns ErrRan.
func (n *Node) Run(ctx context.Context) error {
	if !n.ran.CompareAndSwap(false, true) {
		return ErrRan
	}
	n.base = context.WithoutCancel(ctx)
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
	n.hub.Close()
	n.log.Debug("node ended")
	return n.unjoined()
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

// unjoined returns the error for calls that were left behind.
func (n *Node) unjoined() error {
	if n.busy == 0 {
		return nil
	}
	err := fmt.Errorf("%w: %d after %v", ErrUnjoined, n.busy, n.config.JoinLimit)
	for c := range n.Campaigns() {
		if c.out > 0 {
			err = fmt.Errorf("%w, first of %q", err, c.key)
			break
		}
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
	if at >= n.armed {
		return
	}
	if n.disarm != nil {
		n.disarm()
	}
	n.armed = at
	n.disarm = n.config.Clock.AfterFunc(max(at.Sub(n.now), 1), func() { n.mail.post(message{what: ticked}) }).Stop
}

func (n *Node) handle(m *message) {
	n.advance()
	switch m.what {
	case added:
		n.add(m.c)
	case requested:
		n.step(m.c, fsm.Input{Kind: m.request}, nil)
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
		n.armed, n.disarm = fsm.Never, nil
	case stopped:
		n.stopping = true
		for c := range n.Campaigns() {
			n.step(c, fsm.Input{Kind: fsm.Stop}, nil)
			n.settle(c)
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

// settle schedules c and, once nothing of an election that is over runs any more, takes it off the node.
func (n *Node) settle(c *Campaign) {
	n.schedule(c)
	if c.closed || !c.machine.Done() {
		return
	}
	if x := c.extra; x != nil && x.beating {
		x.stopBeat()
		return
	}
	if c.watch == watched {
		n.unwatch(c)
	}
	if c.watch != unwatched {
		return
	}
	c.closed = true
	n.heap.set(c, fsm.Never)
	n.mu.Lock()
	delete(n.campaigns, c.key)
	n.mu.Unlock()
	c.close()
}

// join begins to wait for calls that do not return, once nothing else is left to wait for.
func (n *Node) join() {
	if !n.stopping || n.joining || n.busy == 0 {
		return
	}
	for c := range n.Campaigns() {
		if !c.machine.Done() || c.extra != nil && c.extra.beating {
			return
		}
	}
	n.joining = true
	n.unjoin = n.config.Clock.AfterFunc(n.config.JoinLimit, func() { n.mail.post(message{what: joined}) }).Stop
}

// step gives in to the machine of c and does what follows from it, until the machine has nothing left to do at this
// instant. err is the error behind in.
func (n *Node) step(c *Campaign, in fsm.Input, err error) {
	if c.closed {
		return
	}
	for {
		n.retime(c)
		in.Now = n.now
		was := c.machine
		next, call := was.Step(in)
		c.machine = next
		n.giveUp(c, &was)
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

// retime asks for the length of the next lease, before it is applied for.
func (n *Node) retime(c *Campaign) {
	if c.extra == nil || c.extra.election.TTLFunc == nil || c.machine.State() != fsm.Follower || c.machine.Wake() > n.now {
		return
	}
	ttl := c.extra.election.TTLFunc()
	if ttl == c.machine.Timing().TTL {
		return
	}
	t, err := c.extra.election.timing(ttl, n.config.Manager)
	if err = errors.Join(err, (lease.Limits{}).Check(ttl)); err != nil {
		n.log.Error("TTLFunc returned a length that cannot be used", "key", c.key, "ttl", ttl, "err", err)
		return
	}
	n.mu.Lock()
	c.machine = c.machine.Retimed(n.shared(t))
	n.mu.Unlock()
}

// Run stands for key on m with work, under a name made from host and process, with a lease of 15 s, until ctx ends or work
// says that the election is over: then with work's error. It is New, Campaign and Run of a Node for one election.
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
