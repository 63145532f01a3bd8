package actor

import (
	"context"
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// work is an Election.Lead that records itself.
type work struct {
	w      *world
	linger time.Duration               // how long it goes on after its context has ended
	do     func(t *Tenure) (err error) // instead of waiting for the end of the context
	mu     sync.Mutex
	begun  []*Tenure
	ctxs   []context.Context
	told   []time.Duration // when contexts ended, since the world began
	causes []error
	runs   int // now
	most   int // at once, ever
}

func (k *work) lead(ctx context.Context, t *Tenure) error {
	context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.told, k.causes = append(k.told, k.w.now()), append(k.causes, context.Cause(ctx))
	})
	k.mu.Lock()
	k.begun, k.ctxs = append(k.begun, t), append(k.ctxs, ctx)
	k.runs++
	k.most = max(k.most, k.runs)
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.runs--
	}()
	if k.do != nil {
		return k.do(t)
	}
	<-ctx.Done()
	if k.linger > 0 {
		over := make(chan struct{})
		k.w.clock.AfterFunc(k.linger, func() { close(over) })
		<-over
	}
	return nil
}

func (k *work) terms() (terms []lease.Term) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.begun {
		terms = append(terms, t.Term())
	}
	return terms
}

// faulty is the world's store with faults.
func (w *world) faulty(steps ...leasetest.Step) *leasetest.Faulty {
	return &leasetest.Faulty{Manager: w.store, Clock: w.clock, Plan: leasetest.Script(steps...)}
}

// fault is a line of a script: what befalls the calls of m, or only the nth.
func fault(m leasetest.Method, nth int, k leasetest.Kind, delay ...time.Duration) leasetest.Step {
	s := leasetest.Step{Method: m, Nth: nth, Fault: leasetest.Fault{Kind: k}}
	if len(delay) > 0 {
		s.Fault.Delay = delay[0]
	}
	return s
}
