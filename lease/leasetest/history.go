package leasetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-tenure/tenure/lease"
)

// asked is what a client asked of a key in a history.
type asked struct {
	method Method
	holder int        // from 1
	term   lease.Term // of the lease to renew or release
}

// answered is what it was told.
type answered struct {
	outcome outcome
	term    lease.Term // that was granted
	err     error
}

type outcome uint8

const (
	done outcome = iota
	refused
	unknown
)

// held is the state of a key while no lease runs out.
type held struct {
	by   int        // 0: nobody
	term lease.Term // 0: of an Acquire whose answer was lost
	last lease.Term // the greatest known
}

// model is what a key does by the rules: the states that may follow state when in was asked and out was answered.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{held{}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, h := range state.(held).step(in.(asked), out.(answered)) {
				next = append(next, h)
			}
			return next
		},
	}
	return m.ToModel()
}

func (h held) step(in asked, out answered) []held {
	free := h.by == 0 || h.by == in.holder
	mine := h.by == in.holder && h.term == in.term
	vacant := held{last: h.last}
	switch {
	case in.method == Acquire && out.outcome == done && free && out.term > h.last:
		return []held{{by: in.holder, term: out.term, last: out.term}}
	case in.method == Acquire && out.outcome == refused && !free:
		return []held{h}
	case in.method == Acquire && out.outcome == unknown && free:
		return []held{h, {by: in.holder, last: h.last}}
	case in.method == Acquire && out.outcome == unknown:
		return []held{h}
	case in.method == Renew && (out.outcome == unknown || (out.outcome == done) == mine):
		return []held{h}
	case in.method == Release && out.outcome == unknown && mine:
		return []held{h, vacant}
	case in.method == Release && out.outcome == done && mine:
		return []held{vacant}
	case in.method == Release && !mine: // done, too: a release may be repeated
		return []held{h}
	}
	return nil
}

// history collects what the clients of one key did. Its clock counts calls and returns.
type history struct {
	tick atomic.Int64
	mu   sync.Mutex
	ops  []porcupine.Operation
}

func (h *history) record(client int, in asked, call func() (lease.Term, error)) (lease.Term, outcome) {
	begun := h.tick.Add(1)
	term, err := call()
	ended := h.tick.Add(1)
	out := answered{term: term, err: err}
	_, refusal := lease.Refusal(err)
	switch {
	case refusal:
		out.outcome = refused
	case err != nil:
		out.outcome, ended = unknown, math.MaxInt64 // it may be carried out at any time from now on
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: begun, Output: out, Return: ended})
	return term, out.outcome
}

// unknown returns how many calls had an unknown outcome, and the error of one of them.
func (h *history) unknown() (n int, err error) {
	for _, op := range h.ops {
		if out := op.Output.(answered); out.outcome == unknown {
			n, err = n+1, out.err
		}
	}
	return n, err
}

// String writes the history down, one call a line, in the order of the calls.
func (h *history) String() string {
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var s strings.Builder
	for _, op := range h.ops {
		in, out := op.Input.(asked), op.Output.(answered)
		until := fmt.Sprint(op.Return)
		if op.Return == math.MaxInt64 {
			until = "?"
		}
		fmt.Fprintf(&s, "\n  %4d to %4s  holder %d: %-8s", op.Call, until, in.holder, in.method)
		if in.method != Acquire {
			fmt.Fprintf(&s, "term %-4d", in.term)
		}
		switch {
		case out.err != nil:
			fmt.Fprintf(&s, " -> %v", out.err)
		case in.method == Acquire:
			fmt.Fprintf(&s, " -> term %d", out.term)
		default:
			s.WriteString(" -> done")
		}
	}
	return s.String()
}

// client is one holder in a history. It does what its random numbers say: mostly what a holder does, sometimes with a
// lease it had before, sometimes with a context that ends meanwhile. The first two clients are one holder, whose calls
// overtake each other.
type client struct {
	s        *scene
	h        *history
	m        lease.Manager
	id       int // of the client, from 1
	who      int // of the holder
	key      string
	holder   lease.Holder
	rng      *rand.Rand
	now, old lease.Lease
	cut      float64 // probability of a context that ends during the call
}

func (c *client) act() {
	ctx, cancel := context.WithCancel(c.s.Context())
	defer cancel()
	if c.rng.Float64() < c.cut {
		go cancel()
	}
	switch p := c.rng.IntN(100); {
	case p < 8 && c.old.Term > 0:
		c.renew(ctx, c.old)
	case p < 16 && c.old.Term > 0:
		c.release(ctx, c.old)
	case c.now.Term == 0 || p < 24:
		c.acquire(ctx)
	case p < 60:
		if c.renew(ctx, c.now) == refused {
			c.now, c.old = lease.Lease{}, c.now
		}
	default:
		if c.release(ctx, c.now) != unknown {
			c.now, c.old = lease.Lease{}, c.now
		}
	}
}

func (c *client) acquire(ctx context.Context) {
	var l lease.Lease
	_, out := c.h.record(c.id, asked{method: Acquire, holder: c.who}, func() (lease.Term, error) {
		var err error
		l, err = c.m.Acquire(ctx, c.key, c.holder, c.s.long)
		return l.Term, err
	})
	if out == done {
		c.now, c.old = l, c.now
	}
}

func (c *client) renew(ctx context.Context, l lease.Lease) outcome {
	_, out := c.h.record(c.id, asked{Renew, c.who, l.Term}, func() (lease.Term, error) {
		return 0, c.m.Renew(ctx, l, c.s.long)
	})
	return out
}

func (c *client) release(ctx context.Context, l lease.Lease) outcome {
	_, out := c.h.record(c.id, asked{Release, c.who, l.Term}, func() (lease.Term, error) {
		return 0, c.m.Release(ctx, l)
	})
	return out
}

// contend lets clients contend for one key and judges the history: there must be an order of all calls, each somewhere
// between its call and its return, in which every answer is right.
func (s *scene) contend(seed uint64, clients, calls int, odds Odds, cut float64) {
	s.Helper()
	h, key, begun := new(history), s.key(), s.now()
	all := make([]*client, clients)
	holders := make([]lease.Holder, clients)
	for i := range all {
		holders[i] = s.holder(fmt.Sprint("holder-", i+1))
		m, who := s.side(i), i
		if i == 1 {
			who = 0
		}
		if odds != (Odds{}) {
			m = &Faulty{Manager: m, Clock: s.c.Clock, Plan: Seeded(seed, odds)}
		}
		all[i] = &client{
			s: s, h: h, m: m, id: i + 1, who: who + 1, key: key, cut: cut,
			holder: holders[who], rng: rand.New(rand.NewPCG(seed, uint64(i))),
		}
	}
	together(clients, func(i int) {
		for range calls {
			all[i].act()
		}
	})
	if s.stalled(begun, s.long) {
		return
	}
	if n, err := h.unknown(); odds == (Odds{}) && n > len(h.ops)/8 {
		s.Fatalf("R7: the outcome of %d of %d calls on %q under contention is unknown, one for %v; want few",
			n, len(h.ops), key, err)
	}
	switch porcupine.CheckOperationsTimeout(model(), h.ops, 10*time.Second) {
	case porcupine.Illegal:
		s.Fatalf("R4, R5: no order of these calls on %q explains their answers; want one lease at a time, rising terms, "+
			"and no effect of older terms:%s", key, h)
	case porcupine.Unknown:
		s.Logf("the history of %q was too long to judge", key)
	}
}

func contention(s *scene) {
	for seed := range uint64(8) {
		s.contend(seed, 5, 16, Odds{}, 0)
	}
}

func contentionWithFaults(s *scene) {
	for seed := range uint64(8) {
		s.contend(seed, 4, 12, Odds{ErrorBefore: 0.05, ErrorAfter: 0.1}, 0.05)
	}
}
