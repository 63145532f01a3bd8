package simulate

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing/synctest"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// What only happens in a bubble.
const (
	doTask  doing = iota + 100 // function number call of Do is called
	fire                       // timer number call fires; term is its generation
	leaves                     // write number call leaves the process
	lands                      // it reaches the resource
	echoes                     // its answer reaches the process
	giveUp                     // a client that hangs returns from call number call
	signals                    // signal number call is given
	panics                     // the work has panicked
	rings                      // a Mock has something to do, and again after left
)

// inbox is what goroutines have asked of the driver since it last looked.
type inbox struct {
	timers  []*timer
	writes  []*write
	returns []*process
	signals []*signal
	panics  []*panicked
	rings   []ring
}

// knock tells the driver that something is in the inbox.
func (w *World) knock() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// drive delivers one item at a time until the end or a violation.
func (w *World) drive() {
	end := int64(w.world.sc.End)
	w.rest()
	for w.world.check.violation.Rule == "" {
		if next := w.next(); next > w.world.now {
			if w.world.now >= end {
				return
			}
			w.sleep(min(next, end))
			w.rest() // somebody else may have waited for this instant
			continue
		}
		it := w.world.q.pop()
		w.world.events++
		if w.still++; w.still > 100_000 {
			w.world.check.fail(&w.world, "Zeno", "100 000 things happened at one instant")
		}
		w.await()
		w.happen(it)
		w.settle(it)
		if w.world.check.violation.Beyond { // to be expected; what the resources make of it is worth seeing
			w.beyond()
		}
	}
}

// next is when the next item is due, a time that never comes if there is none.
func (w *World) next() int64 {
	if len(w.world.q.items) == 0 {
		return math.MaxInt64
	}
	return w.world.q.items[0].at
}

// rest waits until everything has come to rest, and takes the inbox in.
func (w *World) rest() {
	synctest.Wait()
	select {
	case <-w.poke: // by somebody whose news is in the inbox
		w.collect()
	default:
	}
}

// sleep lets time pass until at, or until somebody knocks. On Mocks time is what the driver says.
func (w *World) sleep(at int64) {
	if w.mocks && at > w.world.now {
		w.world.now, w.world.still, w.still = at, 0, 0
		w.instant.Store(at)
		return
	}
	if d := time.Duration(at - w.world.now); d > 0 {
		w.alarm.Reset(d)
		select {
		case <-w.alarm.C:
		case <-w.poke:
			w.alarm.Stop()
			w.knock() // the driver has yet to look
		}
	}
	if now := int64(w.Now()); now > w.world.now {
		w.world.now, w.world.still, w.still = now, 0, 0
	}
}

// collect schedules what is in the inbox, in an order that does not depend on which goroutine was first.
func (w *World) collect() {
	w.mu.Lock()
	in := w.inbox
	w.inbox = inbox{}
	w.mu.Unlock()
	if len(in.timers) > 1 {
		slices.SortStableFunc(in.timers, func(a, b *timer) int {
			return cmp.Or(a.clock.order()-b.clock.order(), cmp.Compare(a.at, b.at))
		})
	}
	for _, t := range in.timers {
		w.numbers++
		t.number = w.numbers
		w.timers[t.number] = t
		t.clock.timers = append(t.clock.timers, t)
		w.schedule(t)
	}
	w.collectWork(in)
	w.collectRings(in.rings)
	slices.SortStableFunc(in.writes, func(a, b *write) int {
		return cmp.Or(int(a.p.number)-int(b.p.number), cmp.Compare(a.r.name, b.r.name),
			cmp.Compare(a.term, b.term), cmp.Compare(a.value, b.value))
	})
	for _, k := range in.writes {
		w.numbers++
		w.writes[w.numbers] = k
		w.world.push(item{at: w.world.now, do: leaves, node: k.p.number, inc: k.p.inc, call: w.numbers})
	}
}

func (w *World) schedule(t *timer) {
	t.generation++
	it := item{at: t.clock.when(t.at, w.world.now), do: fire, call: t.number, term: t.generation}
	if t.clock.p != nil {
		it.node, it.inc = t.clock.p.number, t.clock.p.inc
	}
	w.world.push(it)
}

// happen makes it happen to the machines of the simulation and to the nodes alike.
func (w *World) happen(it item) {
	s := &w.world
	if w.mocks {
		w.setMocks()
	}
	switch it.do {
	case rings:
		if it.left > 0 {
			it.at = s.now + it.left
			s.push(it)
		}
	case doTask:
		w.guarded(w.tasks[it.call].do)
	case begin, finish:
		w.fault(it)
	case heal:
		w.heal(it)
	case reach:
		if !w.void[request{it.node, uint64(it.left)}] {
			s.happen(it)
		}
	case boot, carry:
		s.happen(it)
	case lands:
		w.land(it)
	case fire:
		if t := w.timers[it.call]; t != nil && t.generation == it.term {
			w.fire(it, t)
		}
	default:
		if n := &s.nodes[it.node]; n.up && it.inc == n.inc && w.procs[it.node] != nil && !w.held(it) {
			w.deliver(it)
		}
	}
}

// held reports whether it has to wait, because its process stands still or is slow.
func (w *World) held(it item) bool {
	s, n := &w.world, &w.world.nodes[it.node]
	if n.paused > s.now {
		it.at, it.late = n.paused, true
		s.push(it)
		return true
	}
	if n.slow > 0 && !it.late {
		it.late = true
		if it.at += upTo(draw(s.sc.Seed, s.seq, uint64(it.at), forSlow), n.slow); it.at > s.now {
			s.push(it)
			return true
		}
	}
	return false
}

// fire has a timer fire. Those of a node's actor go with a tick of its machine.
func (w *World) fire(it item, t *timer) {
	p := t.clock.p
	live := p != nil && w.procs[p.number] == p
	switch {
	case live && w.held(it):
	case live && t.clock.actors:
		w.tick(it.node)
	default:
		delete(w.timers, it.call)
		if k := slices.Index(t.clock.timers, t); k >= 0 {
			t.clock.timers = slices.Delete(t.clock.timers, k, k+1)
		}
		t.fire()
	}
}

// deliver has it happen to a process that is there and goes on.
func (w *World) deliver(it item) {
	s, i := &w.world, it.node
	n, p := &s.nodes[i], w.procs[i]
	switch it.do {
	case wake:
		if it.call == n.wakes {
			n.woken = math.MaxInt64
			w.tick(i)
		}
	case arrive:
		if c := p.find(it.call, it.op); c != nil { // otherwise its client has given up
			learned := s.logged()
			s.log(Entry{
				Node: int8(i), Kind: Answered, Call: uint64(it.number), Op: it.op, Answer: it.kind, Term: lease.Term(it.term),
			})
			s.step(i, fsm.Input{
				Kind: it.kind, Op: it.op, Call: it.call, Term: lease.Term(it.term),
				Who: s.who(it), Remaining: time.Duration(it.left),
			})
			s.believed(learned)
			p.answer(c, it)
		}
	case giveUp:
		if c := p.find(it.call, it.op); c != nil {
			s.step(i, fsm.Input{Kind: fsm.Unknown, Op: it.op, Call: it.call})
			it.kind = fsm.Unknown
			p.answer(c, it)
		}
	case notice:
		if it.left == 0 { // run out: nobody's
			it.who = 0
		}
		s.step(i, fsm.Input{
			Kind: fsm.Seen, Term: lease.Term(it.term), Who: s.who(it), Remaining: time.Duration(it.left),
		})
		p.show(it)
	case returns:
		if it.kind == fsm.Drained && n.work.running && it.call == n.tenure { // not one that engine A has drawn
			n.work.returning = outcome(p.err)
			s.returned(i)
			close(p.goOn)
		}
	case signals:
		close(w.signals[it.call].given)
		delete(w.signals, it.call)
	case panics:
		w.panic(i, w.panics[it.call])
	case leaves:
		it.do, it.at = lands, s.now+w.passage(i)
		s.push(it)
	case echoes:
		k := w.writes[it.call]
		delete(w.writes, it.call)
		k.done <- k.err
	}
}

func outcome(err error) fsm.Outcome {
	switch {
	case errors.Is(err, actor.ErrOver):
		return fsm.Over
	case err != nil:
		return fsm.Errored
	}
	return fsm.Returned
}

// passage is how long a write to a resource, or its answer, is under way.
func (w *World) passage(i uint8) int64 {
	w.sent[i]++
	return int64(time.Millisecond) + upTo(draw(w.world.sc.Seed, uint64(i), w.sent[i], forWork), int64(9*time.Millisecond))
}

// tick has the machine of node i look at its clock, and the timers of its actor fire.
func (w *World) tick(i uint8) {
	s, n := &w.world, &w.world.nodes[i]
	if n.machine.Wake() <= s.local(n) {
		n.woken = math.MaxInt64
		s.step(i, fsm.Input{Kind: fsm.Tick})
	}
	p := w.procs[i]
	if w.mocks {
		p.setMock()
		return
	}
	c := p.actorClock
	waiting := c.timers[:0]
	for _, t := range c.timers {
		if c.when(t.at, s.now) > s.now {
			waiting = append(waiting, t)
			continue
		}
		delete(w.timers, t.number)
		t.fire()
	}
	clear(c.timers[len(waiting):])
	c.timers = waiting
}

// note takes what has happened into the digest.
func (w *World) note(words ...uint64) {
	for _, x := range words {
		w.digest = (w.digest ^ x) * 0xd6e8feb86659fd93
		w.digest ^= w.digest >> 29
	}
}

// noteText takes a text into the digest (FNV-1a).
func (w *World) noteText(text string) {
	for i := range len(text) {
		w.digest = (w.digest ^ uint64(text[i])) * 1099511628211
	}
	w.note(uint64(len(text)))
}
