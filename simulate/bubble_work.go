package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
)

// meddling is what the faults of the work do to the work of a process: lengths of time in ns, 0 for no such fault.
type meddling struct{ ignore, soon, fails atomic.Int64 }

// signal is something that is to happen to a process some time from now.
type signal struct {
	p     *process
	after int64
	given chan struct{}
}

// panicked is what a panic of the work left behind.
type panicked struct {
	p     *process
	term  uint64
	value any
	stack []byte
}

var (
	errFails = errors.New("simulate: a fault has the work fail")
	errSoon  = errors.New("simulate: a fault has the work return")
)

// lead runs the user's work and returns when the driver says so.
func (p *process) lead(ctx context.Context, t *actor.Tenure) (err error) {
	ctx, outcome := p.meddle(ctx)
	err = errors.New("simulate: the work ended its goroutine")
	defer func() {
		r := recover()
		goOn := make(chan struct{})
		if r == nil {
			err = outcome(err)
		}
		p.w.mu.Lock()
		switch in := &p.w.inbox; {
		case p.isGone():
		case r != nil:
			in.panics = append(in.panics, &panicked{p, uint64(t.Term()), r, debug.Stack()})
		default:
			p.err, p.goOn = err, goOn
			in.returns = append(in.returns, p)
		}
		p.w.mu.Unlock()
		p.w.knock()
		select {
		case <-goOn:
		case <-p.gone:
		}
	}()
	return p.w.lead(ctx, t)
}

// meddle returns the context that the work is given, which without faults of the work is that of the node, and what is
// made of its outcome.
func (p *process) meddle(ctx context.Context) (context.Context, func(error) error) {
	if !p.w.meddles {
		return ctx, func(err error) error { return err }
	}
	given, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if late := p.meddling.ignore.Load(); late > 0 {
			p.await(given, late)
		}
		end(context.Cause(ctx))
	})
	after, cause := p.meddling.fails.Load(), errFails
	if after == 0 {
		after, cause = p.meddling.soon.Load(), errSoon
	}
	if after > 0 {
		go func() {
			if p.await(given, after) {
				end(cause)
			}
		}()
	}
	return given, func(err error) error {
		stop()
		end(nil)
		switch context.Cause(given) {
		case errFails:
			return errFails
		case errSoon:
			return nil
		}
		return err
	}
}

// await returns true when the time is over, false if ctx ends or the process dies before.
func (p *process) await(ctx context.Context, after int64) bool {
	s := &signal{p, after, make(chan struct{})}
	p.w.mu.Lock()
	p.w.inbox.signals = append(p.w.inbox.signals, s)
	p.w.mu.Unlock()
	p.w.knock()
	select {
	case <-s.given:
		return true
	case <-ctx.Done():
	case <-p.gone:
	}
	return false
}

// meddle tells the processes of the faults of their work.
func (w *World) meddle() {
	for i, p := range w.procs {
		if n := &w.world.nodes[i]; p != nil {
			p.meddling.ignore.Store(n.ignore)
			p.meddling.soon.Store(n.soon)
			p.meddling.fails.Store(n.fails)
		}
	}
}

// ofWork reports whether f is a fault of the work.
func ofWork(f Fault) bool { return f.Kind == Ignore || f.Kind == ReturnSoon || f.Kind == Fails }

// collectWork schedules what the work has done and what is to be done to it.
func (w *World) collectWork(in inbox) {
	s := &w.world
	slices.SortStableFunc(in.returns, func(a, b *process) int { return int(a.number) - int(b.number) })
	for _, p := range in.returns {
		n := &s.nodes[p.number]
		s.push(item{at: s.now, do: returns, node: p.number, inc: p.inc, call: n.tenure, kind: fsm.Drained})
	}
	slices.SortStableFunc(in.signals, func(a, b *signal) int {
		return cmp.Or(int(a.p.number)-int(b.p.number), cmp.Compare(a.after, b.after))
	})
	for _, k := range in.signals {
		w.numbers++
		w.signals[w.numbers] = k
		s.push(item{at: s.now + k.after, do: signals, node: k.p.number, inc: k.p.inc, call: w.numbers})
	}
	slices.SortStableFunc(in.panics, func(a, b *panicked) int { return int(a.p.number) - int(b.p.number) })
	for _, k := range in.panics {
		w.numbers++
		w.panics[w.numbers] = k
		s.push(item{at: s.now, do: panics, node: k.p.number, inc: k.p.inc, call: w.numbers})
	}
}

// panic ends the process of node i, whose work has panicked, or the schedule.
func (w *World) panic(i uint8, k *panicked) {
	s := &w.world
	w.note(uint64(s.now), uint64(i), k.term)
	if w.restart < 0 {
		w.stack = fmt.Sprintf("\n%s", k.stack)
		w.inexcusable("panic", "the work of n%d panics under term %d: %v", i, k.term, k.value)
		return
	}
	s.crash(i)
	s.push(item{at: s.now + int64(w.restart), do: boot, node: i})
}
