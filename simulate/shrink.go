package simulate

import (
	"slices"
	"time"
)

// Shrink returns a scenario that violates the same rule as s with as few faults, nodes and odd lengths of time as can
// be found by leaving out and rounding: without any one of its faults the violation does not happen. It returns s
// itself if s violates nothing. plays counts the schedules it took.
//
// Faults are left out in halves first, then in ever smaller parts (ddmin; Zeller and Hildebrandt, "Simplifying and
// isolating failure-inducing input", 2002).
func Shrink(s Scenario) (small Scenario, plays int) {
	x := &shrinker{w: &world{}}
	s = s.complete()
	x.w.start(s)
	if x.w.run(); x.w.check.violation.Rule == "" {
		return s, 1
	}
	x.rule = x.w.check.violation.Rule
	for before := ""; before != s.String(); {
		before = s.String()
		s.Faults = x.leaveOut(s)
		s = x.fewerNodes(s)
		s = x.round(s)
		s = x.shorten(s)
	}
	return s, x.plays
}

type shrinker struct {
	w     *world
	rule  string
	plays int
}

// fails reports whether s violates the rule.
func (x *shrinker) fails(s Scenario) bool {
	x.plays++
	x.w.start(s)
	x.w.run()
	return x.w.check.violation.Rule == x.rule
}

func (x *shrinker) leaveOut(s Scenario) []Fault {
	faults := s.Faults
	for part := (len(faults) + 1) / 2; part > 0; {
		left := false
		for from := 0; from < len(faults); {
			to := min(from+part, len(faults))
			s.Faults = slices.Concat(faults[:from], faults[to:])
			if x.fails(s) {
				faults, left = s.Faults, true
			} else {
				from = to
			}
		}
		if part == 1 && !left {
			break
		}
		if !left || part > len(faults) {
			part = max(part/2, min(1, len(faults)))
		}
	}
	return faults
}

// fewerNodes leaves out one node after the other and gives those that remain its place.
func (x *shrinker) fewerNodes(s Scenario) Scenario {
	for gone := s.Nodes - 1; gone >= 0 && s.Nodes > 1; gone-- {
		fewer := s
		fewer.Nodes--
		fewer.Faults = nil
		hit := false
		for _, f := range s.Faults {
			if int(f.Target) == gone {
				hit = true
			} else if int(f.Target) > gone {
				f.Target--
			}
			fewer.Faults = append(fewer.Faults, f)
		}
		if !hit && x.fails(fewer) {
			s = fewer
		}
	}
	return s
}

// round makes lengths of time as round as they can be.
func (x *shrinker) round(s Scenario) Scenario {
	for unit := 10 * time.Second; unit >= time.Millisecond; unit /= 10 {
		for i := range s.Faults {
			for _, field := range []func(*Fault) *time.Duration{
				func(f *Fault) *time.Duration { return &f.At },
				func(f *Fault) *time.Duration { return &f.For },
				func(f *Fault) *time.Duration { return &f.By },
			} {
				rounded := s
				rounded.Faults = slices.Clone(s.Faults)
				d := field(&rounded.Faults[i])
				if was := *d; was%unit != 0 && s.Faults[i].Kind != Drift {
					if *d = was.Round(unit); x.fails(rounded) {
						s = rounded
					} else if *d = was.Truncate(unit); x.fails(rounded) {
						s = rounded
					}
				}
			}
		}
	}
	return s
}

// shorten ends the schedule soon after the violation.
func (x *shrinker) shorten(s Scenario) Scenario {
	if x.rule == "live" || x.rule == "load" || !x.fails(s) {
		return s
	}
	at := x.w.check.violation.At
	short := s
	short.Heal = min(s.Heal, at.Truncate(time.Second)+time.Second)
	short.End = short.Heal + time.Second
	if short.End < s.End && x.fails(short) {
		return short
	}
	return s
}
