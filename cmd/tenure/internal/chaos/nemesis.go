//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
)

// fault is one way of breaking something, and of mending it again.
type fault struct {
	name  string
	store bool                   // it hits the server itself
	needs func(e *election) bool // nil: works with every store
	begin func(e *election, p *process) error
	end   func(e *election, p *process) error
}

func proxied(e *election) bool { return e.stand.Server != nil }

// faults is the whole vocabulary. Those of a process hit the leader more often than others.
func faults() []fault {
	all := []fault{
		{"kill", false, nil, func(_ *election, p *process) error { p.kill(); return nil },
			func(e *election, p *process) error { return p.start(e) }},
		{"pause", false, nil, func(_ *election, p *process) error { p.pause(); return nil },
			func(_ *election, p *process) error { p.resume(); return nil }},
		{"stop", false, nil, func(e *election, p *process) error { return p.stop(e.patience()) },
			func(e *election, p *process) error { return p.start(e) }},
		{"late", false, proxied, func(e *election, p *process) error { p.proxy.Delay(e.stand.TTL / 20); return nil },
			func(_ *election, p *process) error { p.proxy.Delay(0); return nil }},
		{"cut all", false, proxied, func(e *election, _ *process) error { return e.cut(servers.Blackhole) },
			func(e *election, _ *process) error { return e.cut(servers.Pass) }},
		{"store pause", true, proxied, func(e *election, _ *process) error { return e.stand.Server.Pause() },
			func(e *election, _ *process) error { return e.stand.Server.Resume() }},
		{"store kill", true, func(e *election) bool { return proxied(e) && !e.stand.Forgets },
			func(e *election, _ *process) error { e.stand.Server.Kill(); return nil },
			func(e *election, _ *process) error { return e.stand.Server.Restart(context.Background()) }},
	}
	for _, f := range []servers.Fault{servers.Blackhole, servers.DropAnswers, servers.Reset, servers.HalfOpen} {
		all = append(all, fault{f.String(), false, proxied,
			func(_ *election, p *process) error { p.proxy.Set(f); return nil },
			func(_ *election, p *process) error { p.proxy.Set(servers.Pass); return nil }})
	}
	return all
}

func (e *election) cut(f servers.Fault) error {
	for _, p := range e.processes {
		p.proxy.Set(f)
	}
	return nil
}

// blow is a fault that was drawn: who is hit, and for how long.
type blow struct {
	fault
	victim *process
	hold   time.Duration
}

func (b blow) String() string {
	return fmt.Sprintf("%s %s for %v", b.name, b.victim.name, b.hold.Round(time.Millisecond))
}

// draw draws one blow, or two that last together. Lengths lie around those at which something happens: half a lease,
// a lease, two.
func (e *election) draw() []blow {
	var able []fault
	for _, f := range faults() {
		if f.needs == nil || f.needs(e) {
			able = append(able, f)
		}
	}
	n := 1 + e.rng.IntN(2)
	var blows []blow
	for _, i := range e.rng.Perm(len(able)) {
		if len(blows) == n {
			break
		}
		if len(blows) == 1 && able[i].store && blows[0].store {
			continue // a server that is down cannot be paused
		}
		victim := e.processes[e.rng.IntN(len(e.processes))]
		if leader := e.leader(); leader != nil && e.rng.IntN(10) < 7 {
			victim = leader
		}
		if n == 2 && len(blows) == 1 && victim == blows[0].victim {
			victim = e.processes[(e.index(victim)+1)%len(e.processes)] // two at one process would undo each other
		}
		ttl := e.stand.TTL
		around := []time.Duration{ttl / 2, ttl, ttl + ttl/3, 2 * ttl}[e.rng.IntN(4)]
		blows = append(blows, blow{able[i], victim, around + jitter(e.rng, ttl/5)})
	}
	return blows
}

// jitter is drawn from -most to most.
func jitter(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(2*most))) - most
}

// round breaks something, mends it, and waits until somebody leads.
func (e *election) round(ctx context.Context) error {
	blows := e.draw()
	for _, b := range blows {
		e.count[b.name]++
		e.say("%v", b)
		if err := b.begin(e, b.victim); err != nil {
			return fmt.Errorf("%v: %w", b, err)
		}
	}
	hold := blows[0].hold
	for _, b := range blows {
		hold = max(hold, b.hold)
	}
	wait(ctx, hold)
	for i := len(blows) - 1; i >= 0; i-- {
		if err := blows[i].end(e, blows[i].victim); err != nil {
			return fmt.Errorf("after %v: %w", blows[i], err)
		}
	}
	return e.recover()
}

// wait lets d pass, or less if ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// wake undoes every pause, so that whatever happened nobody is left standing.
func (e *election) wake() {
	for _, p := range e.processes {
		if p.cmd != nil {
			p.signal(syscall.SIGCONT)
		}
	}
}
