package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// settled is how long after a renewal was answered the node has certainly taken note of it.
const settled = 2 * time.Millisecond

func now() hostclock.Instant { return hostclock.Now() }

func isPermanent(err error) bool { return errors.Is(err, lease.ErrPermanent) }

// lead is the work: it runs the command for one term, and returns when the last of its processes is gone.
func (r *runner) lead(ctx context.Context, t *actor.Tenure) error {
	r.standing.CompareAndSwap(waiting, elected)
	if r.standing.Load() == gaveUp || ctx.Err() != nil {
		return nil
	}
	g, err := r.start(t)
	defer r.child.Store(nil)
	var refused *guard.StartError
	switch {
	case errors.As(err, &refused):
		r.decide(refused.Status(), err)
		return actor.ErrOver
	case err != nil:
		return err
	}
	pid := int(g.pid.Load())
	r.log.Info("command started", "key", r.o.key, "term", t.Term(), "pid", pid)
	if r.o.tty {
		restore := foreground(pid)
		defer restore()
	}
	r.follow(ctx, t, g)
	return r.ended(ctx, t, g)
}

// start starts the command under the guardian that was kept ready, or a new one if that has died.
func (r *runner) start(t *actor.Tenure) (*guarded, error) {
	for {
		g, old := &guarded{}, true
		select {
		case g.Guardian = <-r.spare:
		default:
			var err error
			if g.Guardian, err = r.prepare(); err != nil {
				return nil, err
			}
			old = false
		}
		r.child.Store(g) // before it starts, so that no signal is lost
		d, _ := r.deadline(t)
		c := guard.Command{Path: r.o.path, Args: r.o.args, Env: r.environment(t), Grace: r.o.timing.Grace}
		pid, err := g.Start(c, d)
		if err == nil {
			g.pid.Store(int32(pid))
			return g, nil
		}
		var refused *guard.StartError
		if !old || errors.Is(err, guard.ErrLate) || errors.As(err, &refused) {
			return nil, err
		}
		r.log.Warn("guardian has died while waiting, starting another", "err", err)
	}
}

// deadline turns the time that is left of the term into instants of this host. It reports false if none is left.
func (r *runner) deadline(t *actor.Tenure) (guard.Deadline, bool) {
	before := now() // read first: a pause between the two makes the deadline earlier, never later
	left := t.Remaining()
	soft := before.Add(left)
	return guard.Deadline{Soft: soft, Hard: soft.Add(r.o.timing.Grace - guard.Allowance)}, left > 0
}

// follow passes on to the guardian what becomes of the lease, until the command is gone.
func (r *runner) follow(ctx context.Context, t *actor.Tenure, g *guarded) {
	var last hostclock.Instant
	extend := time.NewTimer(0)
	defer extend.Stop()
	for done := ctx.Done(); ; {
		select {
		case <-g.Gone():
			return
		case <-done:
			done = nil
			r.windDown(ctx, g)
		case <-r.renewed:
			extend.Reset(settled)
		case <-extend.C:
			d, left := r.deadline(t)
			if moved := d.Soft.Sub(last); left && (moved > time.Millisecond || moved < -time.Millisecond) {
				last = d.Soft
				g.Extend(d)
			}
			extend.Reset(r.o.timing.Renew / 2)
		}
	}
}

// windDown ends the command because leadership has ended.
func (r *runner) windDown(ctx context.Context, g *guarded) {
	var ended *actor.Ended
	if errors.As(context.Cause(ctx), &ended) && ended.Reason == fsm.Lost {
		g.Kill() // Somebody else leads already.
		return
	}
	g.Stop(r.o.timing.Grace)
}

// ended takes in how the command ended, and returns what the node is to make of it. After ErrOver everything ends when
// the election has: not before, or it would look as if somebody had asked for it.
func (r *runner) ended(ctx context.Context, t *actor.Tenure, g *guarded) error {
	exit := g.Exit()
	var over *actor.Ended
	led := !errors.As(context.Cause(ctx), &over)
	r.log.Info("command ended", "key", r.o.key, "term", t.Term(), "exit", exit.String(), "leading", led)
	switch {
	case !led && over.Reason == fsm.Stopped:
		return nil
	case r.o.once:
		r.decide(exit.Status(), nil)
		return actor.ErrOver
	case exit.Signal != 0 && int32(exit.Signal) == g.sent.Load() && isHangup(exit.Signal):
		r.decide(0, nil) // The terminal hung up, or somebody pressed Ctrl-\, and meant us both.
		return actor.ErrOver
	case r.o.tty && exit.Signal == os.Interrupt:
		r.decide(0, nil) // Ctrl-C reached the command, because it has the terminal.
		return actor.ErrOver
	case led && exit.Status() != 0:
		return fmt.Errorf("command ended: %s", exit)
	}
	return nil
}
