package etcd

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// ledger notes whose work ran when, on the one clock of this process.
type ledger struct {
	mu     sync.Mutex
	inside int        // how many work
	last   lease.Term // the greatest that has worked
	left   time.Time  // when work ended last; zero before the first has begun
	idle   time.Duration
	faults []string
}

// work is the work of all contenders: it begins, waits until it is told to end, and ends.
func (l *ledger) work(ctx context.Context, t *actor.Tenure) error {
	l.mu.Lock()
	if l.inside++; l.inside > 1 {
		l.faults = append(l.faults, fmt.Sprintf("term %d works beside term %d", t.Term(), l.last))
	}
	if t.Term() <= l.last {
		l.faults = append(l.faults, fmt.Sprintf("R4: term %d works after term %d", t.Term(), l.last))
	}
	l.last = t.Term()
	if !l.left.IsZero() {
		l.idle = max(l.idle, time.Since(l.left))
	}
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside--
	l.left = time.Now()
	return nil
}

// now returns the greatest term that has worked, and whether work is going on.
func (l *ledger) now() (lease.Term, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.inside > 0
}

// contend has one node for each Manager stand for key, for the length of the test, and fails the test if the work of
// two ever overlaps or a term does not rise. It returns when the first of them works.
func contend(t *testing.T, key string, ttl time.Duration, all ...*Manager) (*ledger, []*actor.Campaign) {
	t.Helper()
	l := &ledger{}
	var campaigns []*actor.Campaign
	t.Cleanup(func() { // after the nodes have ended
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, f := range l.faults {
			t.Error(f)
		}
		t.Logf("the last term is %d; nobody worked for at most %v", l.last, l.idle)
	})
	for i, m := range all {
		c, _ := campaign(t, m, actor.Election{Key: key, TTL: ttl, Lead: l.work}, actor.Hooks{})
		if campaigns = append(campaigns, c); i == 0 {
			wait(t, c, fsm.Leader)
		}
	}
	eventually(t, "the first works and the others know it", func() bool {
		for _, c := range campaigns[1:] {
			if c.Status().Leader != campaigns[0].Status().Leader {
				return false
			}
		}
		_, works := l.now()
		return works
	})
	return l, campaigns
}
