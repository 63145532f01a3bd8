package sql

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

// view is what a look found of one key.
type view struct {
	state  any // differs whenever the row does; comparable
	record lease.Record
}

// poller tells of rows that have changed. It looks at all keys with one query.
type poller struct {
	every time.Duration
	// look returns what it finds of keys, or nil if nothing has changed since it was last asked; not if all is true.
	// What it leaves out is not told of. It is called by one goroutine at a time.
	look     func(ctx context.Context, keys []string, all bool) (map[string]view, error)
	audience *audience.Audience[struct{}]
}

// A look takes no longer than this.
const lookTimeout = 5 * time.Second

func newPoller(every time.Duration,
	look func(context.Context, []string, bool) (map[string]view, error)) *poller {
	p := &poller{every: every, look: look}
	p.audience = audience.New(p.serve)
	return p
}

// poke makes the next look happen now, and at everything.
func (p *poller) poke() {
	if l := p.audience.Loop(); l != nil {
		l.Nudge()
	}
}

func (p *poller) serve(ctx context.Context, l *audience.Loop[struct{}]) {
	for all := true; ctx.Err() == nil; {
		timed, cancel := context.WithTimeout(ctx, lookTimeout)
		views, err := p.look(timed, slices.Sorted(slices.Values(l.Keys())), all)
		cancel()
		if err == nil {
			for key, v := range views {
				l.Tell(key, v.state, v.record)
			}
		}
		// A little unevenly, so that many processes do not all ask at the same instant.
		timer := time.NewTimer(p.every - p.every/10 + rand.N(p.every/5+1))
		select {
		case <-ctx.Done():
		case <-l.Wake():
			all = true
		case <-timer.C:
			all = err != nil
		}
		timer.Stop()
	}
}
