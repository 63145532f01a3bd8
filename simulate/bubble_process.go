package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// process is one incarnation of a node.
type process struct {
	w          *World
	number     uint8
	inc        uint32
	node       *actor.Node
	campaign   *actor.Campaign
	cancel     context.CancelFunc
	ended      chan struct{} // closed when Run has returned
	gone       chan struct{} // closed when the process has died: nothing reaches it any more, nor it anything
	actorClock *nodeClock
	workClock  *nodeClock
	mock       *clock.Mock // its clock instead, if it runs on one
	meddling   meddling
	told       func(events.Transition) // the user's hook

	// guarded by World.mu
	calls   []*call             // under way
	fresh   []*call             // of them, those that the driver has not seen
	events  []events.Transition // that the driver has not seen
	err     error               // of the work that waits to return
	goOn    chan struct{}       // lets it return
	changed func(lease.Record)
}

// call is a call to the store that has not returned.
type call struct {
	op     fsm.Op
	term   lease.Term
	number uint64 // of the machine's call; 0: nobody awaits the answer
	hangs  bool   // its client does not heed its context
	answer item
	done   chan struct{} // closed when there is an answer
}

// boot starts the process of node i, which the machine of the simulation has done already.
func (w *World) boot(i int) {
	n := &w.world.nodes[i]
	p := &process{
		w: w, number: uint8(i), inc: n.inc, ended: make(chan struct{}), gone: make(chan struct{}),
	}
	p.actorClock, p.workClock = newNodeClock(w, p, true), newNodeClock(w, p, false)
	var c clock.Clock = p.actorClock
	if w.mocks {
		p.mock = w.newMock()
		c = p.mock
	}
	var store lease.Manager = door{p}
	if w.scenario.Watch {
		store = glass{door{p}}
	}
	want := draw(w.scenario.Seed, uint64(i), uint64(n.inc), forMachine)
	var config actor.Config
	var election actor.Election
	if w.configure != nil {
		w.configure(i, &config, &election)
	}
	p.told = config.Hooks.Moved
	config.Name, config.Manager, config.Clock, config.Seed = fmt.Sprintf("n%d", i), store, c, seedFor(want, w.key)
	config.Hooks.Moved = p.moved
	election.Key, election.Timing, election.Lead = w.key, w.scenario.Timing, p.lead
	election.TTL, election.TTLFunc, election.Paused = 0, nil, false
	node, err := actor.New(config)
	if err == nil {
		p.node = node
		p.campaign, err = node.Campaign(election)
	}
	if err != nil {
		w.disagree("n%d does not start: %v", i, err)
		return
	}
	w.mu.Lock()
	w.holders[node.Holder()] = p
	w.mu.Unlock()
	w.procs[i] = p
	w.meddle()
	w.all = append(w.all, p)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		_ = node.Run(ctx) // names calls that do not return; all of them do
	}()
}

// seedFor returns the actor.Config.Seed with which a node draws what fsm.New(timing, want) draws for key: the inverse
// of how a node makes the seed of an election (FNV-1a).
func seedFor(want uint64, key string) uint64 {
	const prime = 0x100000001b3
	inverse := uint64(prime)
	for range 6 {
		inverse *= 2 - prime*inverse // Newton's method, modulo 2^64
	}
	for i := len(key) - 1; i >= 0; i-- {
		want = want*inverse ^ uint64(key[i])
	}
	return want ^ 0xcbf29ce484222325
}

// bury cuts a process off from the world and has what is left of its goroutines end.
func (p *process) bury() {
	w := p.w
	w.mu.Lock()
	close(p.gone)
	w.mu.Unlock()
	p.cancel()
	if w.procs[p.number] == p {
		w.procs[p.number] = nil
	}
}

// idle reports whether the driver has seen all that p has done.
func (p *process) idle() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return len(p.events) == 0 && len(p.fresh) == 0
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// moved is told of each event by the node.
func (p *process) moved(t events.Transition) {
	p.w.mu.Lock()
	gone := p.isGone()
	if !gone {
		p.events = append(p.events, t)
	}
	p.w.mu.Unlock()
	if !gone && p.told != nil {
		p.told(t)
	}
}

// find returns the call of that number that is under way, nil if its client has given up.
func (p *process) find(number uint64, op fsm.Op) *call {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, c := range p.calls {
		if c.number == number && c.op == op && !slices.Contains(p.fresh, c) {
			return c
		}
	}
	return nil
}

// answer lets c return.
func (p *process) answer(c *call, it item) {
	p.drop(c)
	c.answer = it
	close(c.done)
}

func (p *process) drop(c *call) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if k := slices.Index(p.calls, c); k >= 0 {
		p.calls = slices.Delete(p.calls, k, k+1)
	}
}

// show has the watch show the record to the node.
func (p *process) show(it item) {
	p.w.mu.Lock()
	changed := p.changed
	p.w.mu.Unlock()
	if changed != nil {
		changed(p.record(it))
	}
}

// record is what an item tells of the store.
func (p *process) record(it item) lease.Record {
	r := lease.Record{Lease: lease.Lease{Key: p.w.key, Term: lease.Term(it.term)}, Remaining: time.Duration(it.left)}
	if it.who == 0 {
		return r
	}
	r.Holder = lease.Holder{Name: "somebody", Incarnation: "else"}
	for _, q := range p.w.all {
		if q.number == it.who-1 && q.inc == it.whoI {
			r.Holder = q.node.Holder()
		}
	}
	return r
}

// door is the store as a process sees it: a call waits until the driver lets it return.
type door struct{ p *process }

// glass is a door that can be looked through.
type glass struct{ door }

// Watch shows each change from now on.
func (g glass) Watch(_ string, changed func(lease.Record)) (stop func(), err error) {
	set := func(f func(lease.Record)) {
		g.p.w.mu.Lock()
		defer g.p.w.mu.Unlock()
		g.p.changed = f
	}
	set(changed)
	return func() { set(nil) }, nil
}

// The methods of a door run on the small stack that a goroutine begins with if what is rare is done elsewhere.

func (d door) Acquire(ctx context.Context, key string, h lease.Holder, _ time.Duration) (l lease.Lease, err error) {
	c := &call{op: fsm.Acquire, done: make(chan struct{})}
	if err := d.ask(ctx, c); err != nil {
		return l, err
	}
	if c.answer.kind == fsm.Refused {
		return l, d.held(c)
	}
	l.Key, l.Holder, l.Term = key, h, lease.Term(c.answer.term)
	return l, nil
}

func (d door) held(c *call) error { return &lease.HeldError{Record: d.p.record(c.answer)} }

func (d door) Renew(ctx context.Context, l lease.Lease, _ time.Duration) error {
	return d.confirm(ctx, fsm.Renew, &l)
}

func (d door) Release(ctx context.Context, l lease.Lease) error {
	return d.confirm(ctx, fsm.Release, &l)
}

func (d door) confirm(ctx context.Context, op fsm.Op, l *lease.Lease) error {
	c := &call{op: op, term: l.Term, done: make(chan struct{})}
	err := d.ask(ctx, c)
	if err == nil && c.answer.kind == fsm.Refused {
		err = &lease.LostError{Lease: *l, Record: d.p.record(c.answer)}
	}
	return err
}

// ask waits for the answer. Like a good client it returns when its context ends, unless a fault makes it hang.
func (d door) ask(ctx context.Context, c *call) error {
	p := d.p
	p.w.mu.Lock()
	if p.isGone() {
		p.w.mu.Unlock()
		return errDied
	}
	p.calls, p.fresh = append(p.calls, c), append(p.fresh, c)
	p.w.mu.Unlock()
	p.w.knock()
	done := ctx.Done()
	for {
		select {
		case <-c.done:
			if c.answer.kind == fsm.Unknown {
				return c.failed()
			}
			return nil
		case <-p.gone:
			return errDied
		case <-done:
			p.w.mu.Lock()
			hangs := c.hangs
			p.w.mu.Unlock()
			if !hangs {
				p.drop(c)
				return c.unanswered(ctx)
			}
			done = nil
		}
	}
}

func (c *call) failed() error { return fmt.Errorf("simulate: the store failed to %s", c.op) }

func (c *call) unanswered(ctx context.Context) error {
	return fmt.Errorf("simulate: no answer: %w", ctx.Err())
}
