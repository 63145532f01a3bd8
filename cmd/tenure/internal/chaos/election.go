//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/cmd/tenure/internal/stands"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/servers"
)

// allowance is what the machine may add to a bound: five processes, a server and those of other stores share it.
const allowance = 3 * time.Second

// election is one store, the processes that stand on it, and the nemesis.
type election struct {
	stand     *stands.Stand
	self      string // the path of this program
	dir       string
	broken    bool // with a store that must be found out
	rng       *rand.Rand
	processes []*process
	resource  *resource
	out       io.Writer
	start     time.Time

	count   map[string]int // of blows, by name
	rounds  int
	slowest time.Duration // from healing to somebody leading
}

var printing sync.Mutex

func (e *election) say(format string, args ...any) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Fprintf(e.out, "%-12s %6.1fs  %s\n", e.stand.Name, time.Since(e.start).Seconds(), fmt.Sprintf(format, args...))
}

// run stands an election on the store up, breaks it until the time is over or ctx ends, and returns what is to be
// said of it.
func (e *election) run(ctx context.Context, length time.Duration) (verdict, error) {
	e.start, e.count = time.Now(), map[string]int{}
	if err := e.enter(); err != nil {
		return verdict{}, err
	}
	defer e.leave()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	err := e.recover() // from nobody being there
	e.slowest = 0
	for err == nil && ctx.Err() == nil {
		wait(ctx, time.Duration(e.rng.Int64N(int64(e.stand.TTL))))
		if ctx.Err() == nil {
			err = e.round(ctx)
			e.rounds++
		}
	}
	e.wake()
	err = errors.Join(err, e.end())
	e.leave() // nobody writes any more
	return e.judge(err)
}

// enter starts the resource, the proxies and the processes.
func (e *election) enter() error {
	var err error
	if e.resource, err = newResource(filepath.Join(e.dir, "resource")); err != nil {
		return err
	}
	for i := range 5 {
		p := &process{name: fmt.Sprintf("n%d", i+1)}
		e.processes = append(e.processes, p)
		if e.stand.Server != nil {
			if p.proxy, err = servers.NewProxy(e.stand.Server.Addr()); err != nil {
				return err
			}
		}
		if err := p.start(e); err != nil {
			return err
		}
	}
	return nil
}

// end asks every process to stop, the leader last, so that each is found to end whatever it does.
func (e *election) end() error {
	leader := e.leader()
	order := slices.Clone(e.processes)
	slices.SortFunc(order, func(a, b *process) int {
		switch leader {
		case a:
			return 1
		case b:
			return -1
		}
		return 0
	})
	var faults []error
	for _, p := range order {
		err := p.stop(e.patience())
		faults = append(faults, p.fault)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s does not stop well: %w", p.name, err))
		}
	}
	return errors.Join(faults...)
}

// leave ends whatever is left, and may be called twice.
func (e *election) leave() {
	for _, p := range e.processes {
		if p.cmd != nil {
			p.kill()
		}
		if p.proxy != nil {
			p.proxy.Close()
		}
	}
	e.resource.close()
}

// leader returns the process that acted last, nil if nobody has.
func (e *election) leader() *process {
	who, _, _ := e.resource.led()
	if i := slices.IndexFunc(e.processes, func(p *process) bool { return p.name == who }); i >= 0 {
		return e.processes[i]
	}
	return nil
}

func (e *election) index(p *process) int { return slices.Index(e.processes, p) }

// bound is how soon after everything works again somebody leads, as docs/SAFETY.md has it, and one call that was
// under way.
func (e *election) bound() time.Duration {
	t := fsm.Timing{TTL: e.stand.TTL}.Derive()
	longer := func(d time.Duration) time.Duration { return d + time.Duration(float64(d)*t.Drift) }
	if e.stand.Register {
		return longer(longer(t.TTL+e.stand.Extra)+16*t.Retry) + 3*t.CallTimeout
	}
	return longer(max(t.TTL+e.stand.Extra, 16*t.Retry)) + 2*t.CallTimeout
}

// patience is how long a process may take to stop.
func (e *election) patience() time.Duration {
	t := fsm.Timing{TTL: e.stand.TTL}.Derive()
	return t.Drain + 3*t.CallTimeout + t.TTL + allowance
}

// recover waits until somebody acts as the leader after this moment. It fails if that takes longer than it may.
func (e *election) recover() error {
	healed := hostclock.Now()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for range look.C {
		who, term, at := e.resource.led()
		took := hostclock.Now().Sub(healed)
		if at > healed {
			took = at.Sub(healed)
			e.slowest = max(e.slowest, took)
			e.say("%s leads under term %d, %v after all was well", who, term, took.Round(time.Millisecond))
			return nil
		}
		if took > e.bound()+allowance {
			return fmt.Errorf("nobody leads %v after all was well; the bound is %v, and %v for the machine",
				took.Round(time.Millisecond), e.bound(), allowance)
		}
	}
	return nil
}

// newElection makes the directory that everything is written to.
func newElection(s *stands.Stand, seed uint64, out io.Writer) (*election, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tenure-chaos-"+s.Name+"-")
	if err != nil {
		return nil, err
	}
	return &election{stand: s, self: self, dir: dir, rng: rand.New(rand.NewPCG(seed, 0)), out: out}, nil
}
