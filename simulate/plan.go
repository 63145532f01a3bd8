package simulate

import (
	"slices"
	"time"
)

// Plan returns the scenario of a seed: base with its Seed set and with faults drawn for it. Each seed draws which kinds
// of fault it uses at all (after the swarm testing of Groce et al., 2012), so that some schedules are full of one
// thing; half of the faults hit one victim; and lengths of time lie, mostly, just beside those at which the election
// changes its mind. Every eighth seed has one of the composites as well, and the kinds that are seldom.
func Plan(base Scenario, seed uint64) Scenario {
	s := base.complete()
	s.Seed = seed
	s.Watch = seed%3 != 0
	p := &planner{seed: seed, s: &s}
	kinds := p.kinds()
	count := int(p.upTo(40))
	if p.upTo(50) == 0 {
		count = 0
	} else if p.upTo(50) == 0 {
		count = 1
	}
	if p.seldom() && count > 1 {
		count /= 2
		s.Faults = p.composite()
	}
	victim := Target(p.upTo(int64(s.Nodes)))
	s.Faults = slices.Grow(s.Faults, count)
	for range count {
		s.Faults = append(s.Faults, p.fault(kinds[p.upTo(int64(len(kinds)))], victim))
	}
	return s
}

type planner struct {
	seed, drawn uint64
	s           *Scenario
}

func (p *planner) upTo(n int64) int64 {
	p.drawn++
	return upTo(draw(p.seed, p.drawn, 0, forPlan), n)
}

// kinds draws which kinds of fault a seed uses.
func (p *planner) kinds() []FaultKind {
	var kinds []FaultKind
	for k := FaultKind(1); int(k) < faultKinds; k++ {
		if p.s.Store.has(k) && (!shapes[k].seldom || p.seldom()) && p.upTo(3) == 0 {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		kinds = append(kinds, Pause)
	}
	return kinds
}

// length draws a length of time, near a boundary of the timing or a sum of two, or anything up to two TTLs.
func (p *planner) length() time.Duration {
	t := p.s.Timing
	bounds := [...]time.Duration{
		0, t.Retry, t.CallTimeout, t.Grace, t.Renew, t.Poll, t.Lead(), t.TTL, t.TTL - t.Renew, t.Lead() - t.Renew,
	}
	if p.upTo(4) == 0 {
		return time.Duration(p.upTo(2 * int64(t.TTL)))
	}
	d := bounds[p.upTo(int64(len(bounds)))]
	if p.upTo(2) == 0 {
		d += bounds[p.upTo(int64(len(bounds)))]
	}
	d += time.Duration(p.upTo(int64(t.TTL)/50)) - t.TTL/100
	return max(d, time.Millisecond).Truncate(time.Millisecond)
}

func (p *planner) fault(k FaultKind, victim Target) Fault {
	t := p.s.Timing
	f := Fault{Kind: k, Target: victim}
	shape := shapes[k]
	switch {
	case shape.store:
		f.Target = TheStore
	case p.upTo(4) == 0 && !shape.call:
		f.Target = TheLeader
	case p.upTo(2) == 0:
		f.Target = Target(p.upTo(int64(p.s.Nodes)))
	}
	if shape.call {
		f.Call = 1 + int(p.upTo(int64(p.s.Heal/t.Poll)+4))
	} else {
		f.At = time.Duration(p.upTo(int64(p.s.Heal))).Truncate(time.Millisecond)
	}
	if shape.span {
		f.For = p.length()
	}
	switch {
	case k == Drift:
		half := ppm(max(t.Drift, 0)) / 2
		f.By = time.Duration(p.upTo(2*half+1) - half)
	case k == Slow:
		f.By = time.Duration(1 + p.upTo(int64(max(t.Grace, 8)/8))) // a late end and a late return together
	case k == Delay || k == Sluggish:
		f.By = p.length() / 4
	case k == Late:
		f.By = p.length() / 2
	case k == Brink:
		f.By = p.edge()
	case k == Forget:
		f.Call = 1 + int(p.upTo(3))
	case shape.by:
		f.By = p.length()
	}
	return f
}

// seldom reports whether the seed draws from all kinds, and a composite of faults.
func (p *planner) seldom() bool { return p.seed%8 == 5 }

// edge draws a moment beside a deadline: up to a hundredth of a TTL before or after.
func (p *planner) edge() time.Duration {
	wide := int64(p.s.Timing.TTL) / 100
	return time.Duration(p.upTo(2*wide+1) - wide).Truncate(time.Millisecond)
}

// composite draws faults that belong together.
func (p *planner) composite() []Fault {
	t := p.s.Timing
	at := time.Duration(p.upTo(int64(p.s.Heal))).Truncate(time.Millisecond)
	span := p.s.Heal - at
	switch p.upTo(3) {
	case 0:
		return RollingRestart(p.s.Nodes, at, p.length(), p.length())
	case 1:
		return HuntLeader(at, span, max(p.length(), t.Renew))
	default:
		return HuntDeadline(at, span, max(p.length(), t.TTL), p.edge())
	}
}
