//go:build linux

package sql

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// What the last look saw belongs to one goroutine, and one that looked earlier must not tell later.
func TestALookBeginsOnlyWhenTheOneBeforeItHasEnded(t *testing.T) {
	t.Parallel()
	var looking atomic.Int32
	began, goOn := make(chan struct{}, 8), make(chan struct{})
	p := newPoller(time.Hour, func(context.Context, []string, bool) (map[string]view, error) {
		if looking.Add(1) > 1 {
			t.Error("two look at once")
		}
		defer looking.Add(-1)
		began <- struct{}{}
		<-goOn // as a query that does not heed its context
		return nil, nil
	})
	first := p.audience.Add(key, func(lease.Record) {})
	<-began
	var wg sync.WaitGroup
	wg.Go(first)
	for ended := false; !ended; { // until the first is taken off and waited for
		time.Sleep(time.Millisecond)
		ended = p.audience.Loop() == nil
	}
	second := p.audience.Add(key, func(lease.Record) {})
	time.Sleep(50 * time.Millisecond)
	close(goOn)
	<-began
	second()
	wg.Wait()
}
