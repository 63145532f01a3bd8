package simulate

import (
	"math"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// target returns which node a fault hits, and whether there is one.
func (w *world) target(f Fault, number uint64, begins bool) (uint8, bool) {
	if f.Target != TheLeader {
		return uint8(max(f.Target, 0)), true
	}
	if !begins {
		i := w.check.hit[number%uint64(len(w.check.hit))]
		return uint8(max(i, 0)), i >= 0
	}
	w.check.hit[number%uint64(len(w.check.hit))] = -1
	for i := range w.sc.Nodes {
		if n := &w.nodes[i]; n.up && n.machine.State() == fsm.Leader {
			w.check.hit[number%uint64(len(w.check.hit))] = int8(i)
			return uint8(i), true
		}
	}
	return 0, false
}

// fault begins or ends f, which is number number of the script.
func (w *world) fault(f Fault, number uint64, begins bool) {
	i, ok := w.target(f, number, begins)
	if !ok || w.quiet { // heal has ended them all
		return
	}
	kind := FaultBegan
	if !begins {
		kind = FaultOver
	}
	w.check.ails(w, f.Kind, i, begins)
	if f.Kind == Brink {
		if f, ok = w.brink(f, i, begins); !ok {
			return
		}
		if begins {
			w.push(item{at: int64(min(f.At+f.For, w.sc.Heal)), do: finish, call: number})
		}
	}
	w.log(Entry{Node: int8(i), Kind: kind, Fault: f})
	d := 1
	if !begins {
		d = -1
	}
	if shapes[f.Kind].store {
		w.storeFault(f, d)
		return
	}
	n := &w.nodes[i]
	switch f.Kind {
	case Crash, Leave, Pause, Sleep, Slow, Resign, Hand, Cordon:
		w.processFault(f, i, begins)
	case Drift, Forward, Back:
		w.clockFault(f, i, begins)
	case Cut, CutThere, CutBack:
		if f.Kind != CutBack {
			n.cut[0] += d
		}
		if f.Kind != CutThere {
			n.cut[1] += d
		}
	case Delay:
		n.delay += int64(d) * int64(f.By)
	case Ignore:
		n.ignore = during(begins, f.By)
	case ReturnSoon:
		n.soon = during(begins, f.By)
	case Fails:
		n.fails = during(begins, f.By)
	}
}

// brink makes f, which stands for standing still until just beside the deadline of node i, the pause that it is then.
func (w *world) brink(f Fault, i uint8, begins bool) (Fault, bool) {
	n := &w.nodes[i]
	f.Kind = Pause
	if !begins {
		return f, true
	}
	if !n.up || n.machine.State() != fsm.Leader {
		return f, false
	}
	f.At, f.For = time.Duration(w.now), time.Duration(w.when(n, n.machine.Until())-w.now)+f.By
	f.By = 0
	return f, f.For > 0
}

func during(begins bool, by time.Duration) int64 {
	if !begins {
		return 0
	}
	return int64(by)
}

func (w *world) processFault(f Fault, i uint8, begins bool) {
	n := &w.nodes[i]
	ask := func(k fsm.Kind) {
		if n.up && n.paused <= w.now {
			w.step(i, fsm.Input{Kind: k})
		}
	}
	switch f.Kind {
	case Crash:
		if begins {
			w.crash(i)
		} else {
			w.boot(i)
		}
	case Leave:
		if begins {
			ask(fsm.Stop)
		} else {
			w.boot(i)
		}
	case Pause, Sleep:
		if begins {
			until := max(n.paused, min(w.now+int64(f.For), int64(w.sc.Heal)))
			if f.Kind == Sleep { // the clock shows what the wall clock shows: as if that had been set forward
				n.jumped += until - max(n.paused, w.now)
			}
			n.paused = until
			w.check.pausing(w, i, n.paused)
		} else if n.up && n.work.running && n.paused <= w.now { // the work goes on with what it was about to do
			w.check.write(w, i)
		}
	case Slow:
		n.slow = during(begins, f.By)
	case Resign:
		ask(fsm.Resign)
	case Hand:
		ask(fsm.HandOver)
	case Cordon:
		if begins {
			ask(fsm.Pause)
		} else {
			ask(fsm.Resume)
		}
	}
}

func (w *world) clockFault(f Fault, i uint8, begins bool) {
	n := &w.nodes[i]
	if !n.up {
		return
	}
	switch f.Kind {
	case Drift:
		rate := int64(0)
		if begins {
			rate = int64(f.By)
		}
		w.setClock(n, rate, 0)
	case Forward: // cannot be told from a sleep of the host, so it counts as time that has passed
		w.setClock(n, n.rate, int64(f.By))
	case Back: // is ignored: the monotonic clock did not go back
		return
	}
	if n.paused <= w.now {
		w.step(i, fsm.Input{Kind: fsm.Tick})
	}
}

func (w *world) storeFault(f Fault, d int) {
	s := &w.store
	switch f.Kind {
	case Down:
		s.down += d
	case Refusing:
		s.refusing += d
	case Stall:
		if s.stalled += d; s.stalled == 0 {
			w.push(item{at: w.now, do: carry})
		}
	case Sluggish:
		s.sluggish += int64(d) * int64(f.By)
	case Deaf:
		s.deaf += d
	case Echo:
		s.echo += d
	case Delete, Evict:
		if w.sc.Store == Register {
			w.rewrite(f.Kind == Evict)
			return
		}
		if d > 0 && s.holder != 0 {
			w.check.broken(w)
			r := record{term: s.term, expires: s.clock(w.now)}
			if f.Kind == Evict { // to somebody who is not among the nodes, for one TTL
				r = record{holder: math.MaxUint8, inc: math.MaxUint32, term: s.term + 1, expires: s.clock(w.now) + w.ttl}
			}
			s.write(r)
			w.notify()
		}
	case Early:
		s.expires -= int64(f.By)
	case Late:
		if s.live(w.now) {
			s.expires += int64(f.By)
		}
	case Stale:
		s.stale += d
	case Forget:
		s.forget(f.Call)
	}
}

// heal ends all faults. What was scheduled by them still happens, but nothing new goes wrong.
func (w *world) heal() {
	w.quiet = true
	w.check.recovered(w)
	for i := range w.sc.Nodes {
		n := &w.nodes[i]
		n.cut, n.delay, n.slow, n.ignore, n.soon, n.fails = [2]int{}, 0, 0, 0, 0, 0
		n.paused = min(n.paused, w.now)
		if n.up && n.machine.Paused() {
			w.step(uint8(i), fsm.Input{Kind: fsm.Resume})
		}
	}
	s := &w.store
	s.down, s.refusing, s.deaf, s.echo, s.sluggish, s.stale = 0, 0, 0, 0, 0, 0
	if s.stalled > 0 {
		s.stalled = 0
		w.resumeStore()
	}
	for i := range w.sc.Nodes {
		if n := &w.nodes[i]; !n.up {
			w.boot(uint8(i))
		}
	}
	w.check.healed(w)
	w.log(Entry{Node: -1, Kind: Healed})
}
