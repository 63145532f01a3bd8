package simulate

import (
	"slices"
	"strings"
	"time"
)

// Shrink returns a scenario that violates the same rule as s with as few faults, nodes and odd lengths of time as can
// be found by leaving out and rounding: without any one of its faults the violation does not happen. It returns s
// itself if s violates nothing. plays counts the schedules it took.
//
// Faults are left out in halves first, then in ever smaller parts (ddmin; Zeller and Hildebrandt, "Simplifying and
// isolating failure-inducing input", 2002).
func Shrink(s Scenario) (small Scenario, plays int) {
	w := &world{}
	x := &shrinker{play: func(s Scenario) Violation {
		w.start(s)
		w.run()
		return w.check.violation
	}}
	s = s.complete()
	if x.rule = x.play(s).Rule; x.rule == "" {
		return s, 1
	}
	return x.shrink(s), x.plays
}

// shrinker makes scenarios small.
type shrinker struct {
	play  func(Scenario) Violation // plays a schedule and says what it violates
	rule  string
	plays int
	most  int // how many plays there may be; 0: any number
}

// shrink returns what is left of s, which violates the rule, when nothing more can be left out.
func (x *shrinker) shrink(s Scenario) Scenario {
	for before := ""; before != s.String(); {
		before = s.String()
		s.Faults = x.leaveOut(s)
		s = x.fewerNodes(s)
		s = x.round(s)
		s = x.shorten(s)
	}
	return s
}

// fails reports whether s violates the rule. When it has been asked too often it says no.
func (x *shrinker) fails(s Scenario) bool {
	return !x.spent() && x.at(s) >= 0
}

// spent reports whether there may be no more plays, so that s may not be as small as it could be.
func (x *shrinker) spent() bool { return x.most > 0 && x.plays >= x.most }

// at is when s violates the rule, negative if it does not.
func (x *shrinker) at(s Scenario) time.Duration {
	x.plays++
	if v := x.play(s); v.Rule == x.rule {
		return v.At
	}
	return -1
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
	if x.rule == "live" || x.rule == "load" || strings.HasPrefix(x.rule, ownRule) || x.spent() {
		return s
	}
	at := x.at(s)
	if at < 0 {
		return s
	}
	short := s
	short.Heal = min(s.Heal, at.Truncate(time.Second)+time.Second)
	short.End = short.Heal + time.Second
	if short.End < s.End && x.fails(short) {
		return short
	}
	return s
}
