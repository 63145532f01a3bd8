package bench

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// contested is the key of join.
const contested = "contested"

// own is the arena of this library.
type own struct {
	tb    testing.TB
	store memory.Manager
	count atomic.Int64 // grants and renewals
}

func openOwn(tb testing.TB) arena {
	return &own{tb: tb, store: memory.Manager{Quiet: true}}
}

// A line is one process's way to the store: it counts what succeeds, and can be cut.
type line struct {
	arena   *own
	refused atomic.Int64
	down    atomic.Bool
}

var (
	_ lease.Manager = (*line)(nil)
	_ lease.Watcher = (*line)(nil)
)

func (l *line) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if l.down.Load() {
		return lease.Lease{}, errCut
	}
	got, err := l.arena.store.Acquire(ctx, key, h, ttl)
	if err == nil {
		l.arena.count.Add(1)
	} else if errors.Is(err, lease.ErrHeld) {
		l.refused.Add(1)
	}
	return got, err
}

func (l *line) Renew(ctx context.Context, held lease.Lease, ttl time.Duration) error {
	if l.down.Load() {
		return errCut
	}
	err := l.arena.store.Renew(ctx, held, ttl)
	if err == nil {
		l.arena.count.Add(1)
	}
	return err
}

func (l *line) Release(ctx context.Context, held lease.Lease) error {
	if l.down.Load() {
		return errCut
	}
	return l.arena.store.Release(ctx, held)
}

func (l *line) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	return l.arena.store.Watch(key, func(r lease.Record) {
		if !l.down.Load() {
			changed(r)
		}
	})
}

// election has the timing that every peer has.
func election(key string) actor.Election {
	return actor.Election{Key: key, Timing: fsm.Timing{TTL: ttl, Renew: renewEvery, Poll: renewEvery}}
}

// A process is one node that runs.
type process struct {
	line   line
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start runs a node that stands in the given elections. moved is told of every event.
func (a *own) start(name string, elections []actor.Election, moved func(events.Transition)) *process {
	p := &process{line: line{arena: a}}
	node, err := actor.New(actor.Config{Name: name, Manager: &p.line, Hooks: actor.Hooks{Moved: moved}})
	if err != nil {
		a.tb.Fatal(err)
	}
	for _, e := range elections {
		if _, err := node.Campaign(e); err != nil {
			a.tb.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() {
		if err := node.Run(ctx); err != nil {
			a.tb.Errorf("%s: %v", name, err)
		}
	})
	return p
}

func (p *process) leave() {
	p.cancel()
	p.done.Wait()
}

func (p *process) cut(off bool) { p.line.down.Store(off) }

func (a *own) join(name string, lead func(context.Context)) member {
	e := election(contested)
	e.Lead = func(ctx context.Context, _ *actor.Tenure) error {
		lead(ctx)
		return nil
	}
	return a.start(name, []actor.Election{e}, nil)
}

// crowd returns n elections.
func crowd(n int) []actor.Election {
	all := make([]actor.Election, n)
	for i := range all {
		all[i] = election("election-" + strconv.Itoa(i))
	}
	return all
}

func (a *own) lead(n int, work bool) (stop func()) {
	elections := crowd(n)
	if work {
		for i := range elections {
			elections[i].Lead = func(ctx context.Context, _ *actor.Tenure) error {
				<-ctx.Done()
				return nil
			}
		}
	}
	var leading sync.WaitGroup
	leading.Add(n)
	p := a.start("node-a", elections, func(t events.Transition) {
		if t.Kind == events.Moved && t.To == fsm.Leader {
			leading.Done()
		}
	})
	leading.Wait()
	return p.leave
}

func (a *own) follow(n int) (stop func()) {
	elections := crowd(n)
	other := lease.Holder{Name: "other", Incarnation: lease.NewIncarnation()}
	for _, e := range elections {
		if _, err := a.store.Acquire(context.Background(), e.Key, other, time.Hour); err != nil {
			a.tb.Fatal(err)
		}
	}
	p := a.start("node-a", elections, nil)
	for p.line.refused.Load() < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	return p.leave
}

func (a *own) writes() int64 { return a.count.Load() }

func (a *own) leaseEnd() time.Time {
	r, err := a.store.Read(context.Background(), contested)
	if err != nil {
		a.tb.Fatal(err)
	}
	return time.Now().Add(r.Remaining)
}
