package sql

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// view is what a look found of one key.
type view struct {
	text   string // differs whenever the row does; "" if there is none
	record lease.Record
}

// poller tells of rows that have changed. It has one goroutine, from the first add until the last stop, and looks at
// all keys with one query.
type poller struct {
	every time.Duration
	// look returns what it finds of keys, or nil if nothing has changed since it was last asked; not if all is true.
	// What it leaves out is not told of. It is called by one goroutine at a time.
	look func(ctx context.Context, keys []string, all bool) (map[string]view, error)
	wake chan struct{}

	mu      sync.Mutex
	watched map[*watched]struct{}
	end     context.CancelFunc // ends the goroutine; nil if there is none
	done    chan struct{}      // closed when it has ended, or the one before it; nil if there was none yet
}

// watched is one caller's interest in one key.
type watched struct {
	key     string
	mu      sync.Mutex // held while changed runs
	changed func(view) // nil once stopped
	told    *string    // nil before the first call
}

// A look takes no longer than this.
const lookTimeout = 5 * time.Second

func newPoller(every time.Duration,
	look func(context.Context, []string, bool) (map[string]view, error)) *poller {
	return &poller{every: every, look: look, wake: make(chan struct{}, 1), watched: map[*watched]struct{}{}}
}

// add has changed called once soon and then after each change of the row of key, until stop.
func (p *poller) add(key string, changed func(view)) (stop func()) {
	me := &watched{key: key, changed: changed}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched[me] = struct{}{}
	if p.end == nil {
		ctx, end := context.WithCancel(context.Background())
		before, done := p.done, make(chan struct{})
		p.end, p.done = end, done
		go func() {
			defer close(done)
			if before != nil {
				<-before
			}
			p.run(ctx)
		}()
	}
	p.poke()
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		p.remove(me)
	}
}

// remove forgets me, and ends the goroutine after the last.
func (p *poller) remove(me *watched) {
	p.mu.Lock()
	delete(p.watched, me)
	end, done := p.end, p.done
	if last := len(p.watched) == 0 && end != nil; last {
		p.end = nil
	} else {
		end = nil
	}
	p.mu.Unlock()
	if end != nil {
		end()
		<-done
	}
}

// poke makes the next look happen now, and at everything.
func (p *poller) poke() {
	select {
	case p.wake <- struct{}{}:
	default: // it will happen anyway
	}
}

func (p *poller) run(ctx context.Context) {
	for all := true; ctx.Err() == nil; {
		keys, them := p.interests()
		timed, cancel := context.WithTimeout(ctx, lookTimeout)
		views, err := p.look(timed, keys, all)
		cancel()
		if err == nil {
			for _, w := range them {
				if v, ok := views[w.key]; ok {
					w.tell(v)
				}
			}
		}
		// A little unevenly, so that many processes do not all ask at the same instant.
		timer := time.NewTimer(p.every - p.every/10 + rand.N(p.every/5+1))
		select {
		case <-ctx.Done():
		case <-p.wake:
			all = true
		case <-timer.C:
			all = err != nil
		}
		timer.Stop()
	}
}

func (p *poller) interests() (keys []string, them []*watched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	distinct := map[string]bool{}
	for w := range p.watched {
		distinct[w.key] = true
		them = append(them, w)
	}
	return slices.Sorted(maps.Keys(distinct)), them
}

func (w *watched) tell(v view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil || w.told != nil && *w.told == v.text {
		return
	}
	w.told = &v.text
	w.changed(v)
}
