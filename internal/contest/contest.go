package contest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Ledger notes whose work ran when. The zero Ledger is empty. Its methods may be called from any goroutine.
type Ledger struct {
	mu     sync.Mutex
	inside int        // how many work
	last   lease.Term // the greatest that has worked
	left   time.Time  // when work ended last; zero until then
	idle   time.Duration
	faults []error
}

// Work is the work of all contenders, an [actor.Election]'s Lead: it begins, waits until it is told to end, and ends.
func (l *Ledger) Work(ctx context.Context, t *actor.Tenure) error {
	l.enter(t.Term())
	defer l.leave()
	<-ctx.Done()
	return nil
}

func (l *Ledger) enter(term lease.Term) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inside++; l.inside > 1 {
		l.faults = append(l.faults, fmt.Errorf("term %d works while term %d does", term, l.last))
	}
	if term <= l.last {
		l.faults = append(l.faults, fmt.Errorf("R4: term %d works after term %d", term, l.last))
	}
	if !l.left.IsZero() {
		l.idle = max(l.idle, time.Since(l.left))
	}
	l.last = max(l.last, term)
}

func (l *Ledger) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside--
	l.left = time.Now()
}

// Now returns the greatest term that has worked, zero if none has, and whether work is going on.
func (l *Ledger) Now() (last lease.Term, works bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.inside > 0
}

// Idle returns the longest time that passed between the end of work and the next.
func (l *Ledger) Idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle
}

// Err returns all that went wrong, nil if nothing did.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.faults...)
}

// Start has one node for each Manager stand for key until the test ends, the first of them first, and returns when it
// works and the others know it. The test fails if the ledger has a fault.
func Start(t *testing.T, key string, ttl time.Duration, managers ...lease.Manager) (*Ledger, []*actor.Campaign) {
	t.Helper()
	l := &Ledger{}
	t.Cleanup(func() { // when the nodes have ended
		if err := l.Err(); err != nil {
			t.Error(err)
		}
	})
	var all []*actor.Campaign
	for i, m := range managers {
		c, _ := Stand(t, actor.Config{Name: fmt.Sprintf("node-%d", i), Manager: m},
			actor.Election{Key: key, TTL: ttl, Lead: l.Work})
		if all = append(all, c); i == 0 {
			Wait(t, c, fsm.Leader)
			Eventually(t, "the first works", func() bool { _, works := l.Now(); return works })
			continue
		}
		Eventually(t, "the others know the first", func() bool { return c.Status().Leader == all[0].Status().Leader })
	}
	return l, all
}

// Wait waits up to a minute, which is long even for a busy machine, until c is in state s.
func Wait(t *testing.T, c *actor.Campaign, s fsm.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Wait(ctx, s); err != nil {
		t.Fatalf("the node does not become %v: %v; its status is %+v", s, err, c.Status())
	}
}

// Eventually waits up to a minute until ok.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
