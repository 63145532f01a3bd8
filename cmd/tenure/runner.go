package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// runner is one run of `tenure run`.
type runner struct {
	o        runOptions
	log      *slog.Logger
	node     *actor.Node
	campaign *actor.Campaign
	control  *control.Server
	cancel   context.CancelFunc
	renewed  chan struct{}           // a renewal was answered
	standing atomic.Int32            // waiting, elected or gaveUp
	doubt    atomic.Bool             // the latest move was away from an Acquire of unknown outcome
	spare    chan *guard.Guardian    // holds one that waits for the next term, so that the command starts at once
	child    atomic.Pointer[guarded] // what runs now

	mu      sync.Mutex
	decided bool
	status  int
	fault   error
}

// guarded is the running command, or one that is about to run.
type guarded struct {
	*guard.Guardian
	pid  atomic.Int32
	sent atomic.Int32 // the last signal that was passed on
}

const (
	waiting int32 = iota
	elected
	gaveUp
)

// decide decides on the exit code, if that has not happened.
func (r *runner) decide(status int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.decided {
		r.decided, r.status, r.fault = true, status, err
	}
}

// finish decides on the exit code, if that has not happened, and has everything end.
func (r *runner) finish(status int, err error) {
	r.decide(status, err)
	r.cancel()
}

func (r *runner) run(m lease.Manager) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.cancel = cancel
	var helpers sync.WaitGroup
	defer helpers.Wait()
	unlisten := r.listen(&helpers)
	defer unlisten()
	var err error
	if r.control, err = control.Listen(); err != nil {
		return unusable(err)
	}
	defer r.control.Close()
	r.node, err = actor.New(actor.Config{
		Name: r.o.name, Meta: r.control.Meta(), Manager: m, Logger: r.log, Hooks: actor.Hooks{Called: r.called},
	})
	if err != nil {
		return statusUsage, err
	}
	r.campaign, err = r.node.Campaign(actor.Election{Key: r.o.key, Timing: r.o.timing, Lead: r.lead})
	if err != nil {
		return statusUsage, err
	}
	out, err := openEvents(r.o.events)
	if err != nil {
		return statusUsage, err
	}
	defer out.Close()
	web, err := listenHTTP(r.o.http)
	if err != nil {
		return statusUsage, err
	}
	if err := r.restock(); err != nil {
		web.close()
		return unusable(err)
	}
	sub, err := r.node.Subscribe(context.Background(), events.Options{Policy: events.DropOldest, Buffer: 1 << 12})
	if err != nil {
		return statusInternal, err
	}
	r.serve(ctx, &helpers, sub, out, web)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.fault
}

// serve has everything run until the node has ended, and ends it all.
func (r *runner) serve(
	ctx context.Context, helpers *sync.WaitGroup, sub *events.Subscription, out *eventWriter, web *webServer,
) {
	var writer sync.WaitGroup
	helpers.Go(func() { r.control.Serve(r.answer) })
	web.serve(helpers, r)
	writer.Go(func() {
		for t := range sub.All() {
			r.observe(t)
			out.write(t, r.log)
		}
	})
	helpers.Go(func() { // the election may end by itself
		select {
		case <-r.campaign.Done():
			r.cancel()
		case <-ctx.Done():
		}
	})
	if r.o.waits && r.o.wait > 0 {
		late := time.AfterFunc(r.o.wait, r.giveUp)
		defer late.Stop()
	}
	gone, err := r.stand(ctx)
	if err != nil {
		r.finish(statusUnavailable, err)
	}
	if !gone {
		sub.Close() // nothing waits in it: what was decided on was learnt from its last event
	}
	// Whoever reads the events may have stopped reading. That is no reason to stay.
	written := make(chan struct{})
	go func() { defer close(written); writer.Wait() }()
	select {
	case <-written:
	case <-time.After(2 * time.Second):
		r.log.Warn("events were not taken")
	}
	r.dismiss()
	web.close()
	r.control.Close()
}

// called is told of every call to the store, on the node's goroutine.
func (r *runner) called(_ string, op fsm.Op, _ time.Duration, err error) {
	if op == fsm.Renew && err == nil {
		select {
		case r.renewed <- struct{}{}:
		default:
		}
	}
}

// observe makes ready for the next term, and ends a run that need not, or cannot, go on waiting to be elected.
func (r *runner) observe(t events.Transition) {
	if t.Kind == events.Moved && !t.Snapshot {
		r.doubt.Store(t.From == fsm.Acquiring && t.To == fsm.Releasing)
	}
	if t.Kind == events.Moved && t.From == fsm.Releasing {
		if err := r.restock(); err != nil {
			r.log.Warn("no guardian is ready for the next term", "err", err)
		}
	}
	if r.standing.Load() != waiting || t.Kind != events.Moved || t.Snapshot || t.To != fsm.Follower {
		return
	}
	hopeless := t.Reason == fsm.Failed && isPermanent(t.Err)
	if hopeless || r.o.waits && r.o.wait == 0 {
		r.giveUp()
	}
}

// giveUp ends a run that was not elected in time.
func (r *runner) giveUp() {
	if !r.standing.CompareAndSwap(waiting, gaveUp) {
		return
	}
	st := r.campaign.Status()
	switch {
	case !answered(st.Err):
		r.finish(statusUnavailable, fmt.Errorf("store %s: %w", store.Redact(r.o.store), st.Err))
	case st.Leader.IsZero():
		r.finish(statusNotElected, fmt.Errorf("not elected within %v", r.o.wait))
	default:
		r.finish(statusNotElected, fmt.Errorf("not elected within %v: %s leads %q under term %d",
			r.o.wait, st.Leader, r.o.key, st.Term))
	}
}

// answer is what the control socket says.
func (r *runner) answer(q control.Request) control.Answer {
	before := now()
	st := r.campaign.Status()
	a := control.Answer{Term: st.Term, Leader: st.Leader.Name}
	switch {
	case q.Key != r.o.key:
		a.Err = fmt.Sprintf("this tenure stands for %q, not for %q", r.o.key, q.Key)
	case q.Ask == control.Check:
		if a.Leading = st.Leading && (q.Term == 0 || q.Term == st.Term); a.Leading {
			a.Until = before.Add(st.Remaining)
		}
	case q.Ask == control.Resign && !st.Leading:
		a.Err = "it does not lead"
	case q.Ask == control.Resign && q.Term != st.Term:
		a.Err = fmt.Sprintf("it leads under term %d by now, not %d", st.Term, q.Term)
	case q.Ask == control.Resign:
		r.log.Info("asked to resign", "key", r.o.key, "term", st.Term)
		if err := r.campaign.HandOver(); err != nil {
			a.Err = err.Error()
		}
	default:
		a.Err = fmt.Sprintf("request %q is unknown", q.Ask)
	}
	return a
}

// restock makes sure that a guardian is ready for the next term, unless there will be none.
func (r *runner) restock() error {
	if len(r.spare) > 0 || r.over() {
		return nil
	}
	g, err := r.prepare()
	if err != nil {
		return err
	}
	r.spare <- g // There is room: nobody else puts one in.
	return nil
}

// dismiss ends the guardian that was kept ready.
func (r *runner) dismiss() {
	select {
	case g := <-r.spare:
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := g.Close(closing); err != nil {
			r.log.Warn("guardian does not end", "guardian", g.PID())
		}
	default:
	}
}

// over reports whether the run has been decided to end.
func (r *runner) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.decided
}

// prepare starts a guardian from the very image that runs, even if the file has been replaced by a newer version since.
func (r *runner) prepare() (*guard.Guardian, error) {
	const image = "/proc/self/exe"
	if _, err := os.Stat(image); err == nil {
		return guard.Prepare(image, r.log)
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return guard.Prepare(path, r.log)
}
