// Package guard ties jobs that somebody else starts, such as a scheduler, to the tenure of this process. It is small
// enough to copy.
//
// A scheduler asks before it starts a job whether this process leads, and at most that. Two things are missing: a
// job that runs when leadership ends must be told, and the lease must not go to the next leader while it still
// runs. Both follow from making the jobs part of the leader's work: [Guard.Lead] is the work, and it returns when
// the last job has.
package guard

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-tenure/tenure/actor"
)

// Job is what runs only while this process leads. It looks like actor.Election.Lead: ctx ends when leadership does,
// and context.Cause of it then says why; t.Term() goes along with every write. It should return promptly then.
type Job func(ctx context.Context, t *actor.Tenure) error

// Guard starts jobs while its Lead runs and refuses them otherwise. The zero Guard is ready to use, and serves one
// election. All methods may be called at any time from anywhere.
type Guard struct {
	mu   sync.Mutex
	join func() (ctx context.Context, t *actor.Tenure, leave func()) // nil unless Lead runs
}

// Lead is the work of the election that the jobs belong to: give it to actor.Election.Lead. It lets jobs in until ctx
// ends and returns nil when the last has returned; so the lease is released after that, and not before.
func (g *Guard) Lead(ctx context.Context, t *actor.Tenure) error {
	var running sync.WaitGroup
	g.set(func() (context.Context, *actor.Tenure, func()) {
		running.Add(1)
		return ctx, t, running.Done
	})
	<-ctx.Done()
	g.set(nil)
	running.Wait()
	return nil
}

// Job returns job in the form that schedulers call. While this process does not lead it returns an
// actor.ErrNotLeading and job is not called. The context of job ends with the tenure, and with the context that the
// scheduler gives.
func (g *Guard) Job(job Job) func(ctx context.Context) error {
	return func(caller context.Context) error {
		ctx, t, leave, err := g.enter()
		if err != nil {
			return err
		}
		defer leave()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(caller, func() { cancel(context.Cause(caller)) })()
		return job(ctx, t)
	}
}

// enter counts a job in, which must then leave.
func (g *Guard) enter() (ctx context.Context, t *actor.Tenure, leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.join == nil {
		return nil, nil, nil, actor.ErrNotLeading
	}
	ctx, t, leave = g.join()
	if !t.Leading() {
		leave()
		return nil, nil, nil, fmt.Errorf("%w: term %d of %q is over", actor.ErrNotLeading, t.Term(), t.Key())
	}
	return ctx, t, leave, nil
}

func (g *Guard) set(join func() (context.Context, *actor.Tenure, func())) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.join = join
}
