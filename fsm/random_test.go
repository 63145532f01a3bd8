package fsm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// A player feeds a world whatever choose decides, a number below n each time: bytes of a fuzzer, or a generator.
type player struct {
	world
	now    Instant
	choose func(n int) int
	tale   []string
}

// pass lets time go by: to one of the instants at which something changes, or to just before or after it.
func (p *player) pass() {
	t := p.m.Timing()
	marks := [...]Instant{
		p.now, p.m.Wake(), p.until, p.limit, p.by, p.rest, p.now.Add(t.Retry), p.now.Add(t.CallTimeout), p.now.Add(t.TTL),
		p.now.Add(t.TTL / 1000),
	}
	at := marks[p.choose(len(marks))]
	if at == Never {
		at = p.now
	}
	p.now = max(p.now, at+Instant(p.choose(3)-1))
}

// input makes up a fact.
func (p *player) input() Input {
	in := Input{Kind: Kind(p.choose(kinds)), Now: p.now}
	t := p.m.Timing()
	terms := [...]lease.Term{p.m.Term() + 1, p.m.Term(), p.m.Term() - 1, 0, math.MaxUint64, p.term, p.heard, p.heard + 1}
	spans := [...]time.Duration{-1, 0, 1, t.TTL / 1000, t.Poll - 1, t.Poll, t.TTL, math.MaxInt64, math.MinInt64}
	switch in.Kind {
	case Granted, Refused, Unknown:
		in.Call, in.Op = p.owed, p.op
		if late := p.choose(4); late == 0 || p.op == NoCall {
			in.Call, in.Op = p.calls-uint64(p.choose(3)), Op(1+p.choose(ops-1))
			if in.Call == p.owed && p.op != NoCall {
				in.Op = p.op
			}
		}
		in.Permanent = in.Kind == Unknown && p.choose(4) == 0
	case Drained:
		in.Outcome = Outcome(p.choose(3))
	}
	if in.Kind == Granted || in.Kind == Refused || in.Kind == Seen {
		in.Term = terms[p.choose(len(terms))]
	}
	if in.Kind == Refused || in.Kind == Seen {
		in.Who, in.Remaining = Who(p.choose(3)), spans[p.choose(len(spans))]
	}
	return in
}

// proper makes the next input one that a good host and a good store might bring: a Tick when it is due, answers that
// fit, and seldom anything else.
func (p *player) proper() Input {
	in := Input{Now: p.now}
	switch roll := p.choose(64); {
	case roll == 0:
		in = p.input()
	case p.op != NoCall && roll < 50:
		in = p.answer(Granted, p.now)
	case p.op != NoCall && roll < 58:
		in = p.answer(Unknown, p.now)
	case p.op != NoCall:
		in = p.answer(Refused, p.now)
		in.Term, in.Who, in.Remaining = p.m.Term()+1, Other, p.m.Timing().TTL
	case p.work && p.m.State() != Leader && roll < 30:
		in.Kind = Drained
	case p.paused && roll < 40:
		in.Kind = Resume
	}
	return in
}

// play makes one step and judges it. The tale of the last steps is part of the fault.
func (p *player) play(in Input) *fault {
	p.tale = append(p.tale, fmt.Sprintf("%v %s", time.Duration(in.Now), describe(in)))
	if len(p.tale) > 60 {
		p.tale = p.tale[30:]
	}
	_, err := p.step(in)
	if err == nil {
		err = tooSoon(p.world, p.now)
	}
	if err != nil {
		err = &fault{err.rule, err.what + "\n\t" + strings.Join(p.tale, "\n\t")}
	}
	return err
}

// timings to play with.
func timings(t testing.TB) []*Timing {
	common := Timing{TTL: 15 * time.Second}.Derive()
	crude := Timing{TTL: time.Second, Drift: 0.1, Jitter: 50, Grace: -1}.Derive()
	for _, at := range []*Timing{&common, &crude} {
		if err := at.Check(); err != nil {
			t.Fatal(err)
		}
	}
	return []*Timing{&common, &crude, smallTiming(t)}
}

func TestALongLifeKeepsTheRules(t *testing.T) {
	steps := 200_000
	if underRace {
		steps /= 10
	}
	for i, timing := range timings(t) {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		p := &player{world: newWorld(timing, 7), choose: r.IntN}
		var made [states]int
		var worst outlook
		for n := range steps {
			p.pass()
			if err := p.play(p.proper()); err != nil {
				t.Fatalf("step %d: %v", n, err)
			}
			if n%16 == 0 {
				if err := worst.check(p.world, p.now); err != nil {
					t.Fatalf("step %d: %v\n%s", n, err, strings.Join(p.tale, "\n"))
				}
			}
			made[p.m.State()]++
			if p.m.Done() { // another life, whose instants go on
				p.world = newWorld(timing, uint64(n))
			}
		}
		for s, n := range made {
			if n < steps/50 {
				t.Errorf("only %d of %d steps as %v", n, steps, State(s))
			}
		}
		t.Logf("TTL %v: %v lived, steps by state %v", timing.TTL, time.Duration(p.now).Round(time.Hour), made)
	}
}

func FuzzMachine(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 2, 1})
	f.Add([]byte("the lease counts from the moment before the request was sent"))
	seeds := rand.New(rand.NewPCG(2, 3))
	for range 8 {
		seed := make([]byte, 400)
		for i := range seed {
			seed[i] = byte(seeds.Uint32())
		}
		f.Add(seed)
	}
	all := timings(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		timing := all[int(data[0])%len(all)]
		data = data[1:]
		p := &player{world: newWorld(timing, uint64(len(data))), choose: func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}}
		var worst outlook
		for len(data) > 0 {
			if p.choose(2) == 0 {
				p.pass()
			}
			next := p.proper
			if p.choose(2) == 0 {
				next = p.input
			}
			if err := p.play(next()); err != nil {
				t.Fatal(err)
			}
		}
		if err := worst.check(p.world, p.now); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(p.tale, "\n"))
		}
	})
}

// The walk steps from normal forms and takes two worlds with the same normal form for one. So a world and its normal
// form must go on alike, and the normal form of any world that is reached in raw time must be in the walk.
func TestTheWalkLeavesOutNothingThatMatters(t *testing.T) {
	k := walkTiny(t)
	timing := k.worlds[0].m.timing
	r := rand.New(rand.NewPCG(4, 5))
	raw, now := newWorld(timing, 0), Instant(0)
	steps := 200_000
	if underRace {
		steps /= 10
	}
	for n := range steps {
		before := raw.normal(now).flat()
		if r.IntN(2) == 0 {
			now = now.Add(tick)
			before = before.normal(present.Add(tick)).flat()
			if got := raw.normal(now).flat(); got != before {
				t.Fatalf("step %d: after a tick\n%+v, its normal form\n%+v", n, got, before)
			}
		}
		in := k.inputs[r.IntN(len(k.inputs))]
		if r.IntN(2) == 0 {
			in = before.answer(Granted, present)
		}
		if raw.m.State() == Releasing && raw.work && r.IntN(4) == 0 {
			in = Input{Kind: Drained, Now: present}
		}
		in = before.meant(in)
		if in.Call == number-1 && raw.calls == 0 {
			continue // there is no earlier call yet
		}
		same := in
		same.Now, same.Call, same.Term = now, in.Call+raw.calls-number, unlabel(in.Term, raw.m.Term())
		if in.Call == 0 {
			same.Call = 0
		}
		if _, err := before.step(in); err != nil {
			t.Fatal(err)
		}
		if _, err := raw.step(same); err != nil {
			t.Fatal(err)
		}
		raw = raw.flat()
		got, want := raw.normal(now).flat(), before.normal(present).flat()
		if got != want {
			t.Fatalf("step %d: %s\nin raw time       %+v\nas a normal form %+v", n, describe(in), got, want)
		}
		if _, known := k.seen[got.key()]; !known {
			t.Fatalf("step %d: %s leads out of the walk: %+v", n, describe(in), got)
		}
		if raw.m.Done() && r.IntN(8) == 0 {
			raw = newWorld(timing, 0)
		}
	}
}

// unlabel is the raw term that the walk's term stands for, if ours is the raw term of the machine.
func unlabel(term, ours lease.Term) lease.Term {
	switch {
	case term == 0:
		return 0
	case ours == 0:
		return 1000 // leaves room for a term that is less, and not zero
	}
	return term + ours - ourTerm
}
