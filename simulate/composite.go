package simulate

import (
	"fmt"
	"strings"
	"time"
)

// Composites are faults that belong together. They are made of plain ones, so that every engine plays them and
// shrinking takes them apart.

// RollingRestart asks one node after the other to stop, every so often from at on; each starts again after down. The
// faults of fewer nodes than one are none.
func RollingRestart(nodes int, at, down, every time.Duration) (faults []Fault) {
	for i := range min(nodes, MaxNodes) {
		faults = append(faults, Fault{
			Kind: Leave, Target: Target(i), At: at + time.Duration(i)*every, For: down,
		})
	}
	return faults
}

// HuntLeader kills whoever leads, every so often from at on, for span. Each victim starts again after half of every.
// There are at most 64; an every of 0 or less kills once.
func HuntLeader(at, span, every time.Duration) (faults []Fault) {
	hunt(at, span, every, func(at time.Duration) {
		faults = append(faults, Fault{Kind: Crash, Target: TheLeader, At: at, For: max(every, 0) / 2})
	})
	return faults
}

// HuntDeadline has whoever leads stand still, every so often from at on, for span, until just before its deadline, just
// at it, and just after, by turns: by is how far beside. There are at most 64; an every of 0 or less hunts once.
func HuntDeadline(at, span, every, by time.Duration) (faults []Fault) {
	hunt(at, span, every, func(at time.Duration) {
		beside := []time.Duration{-by, 0, by}[len(faults)%3]
		faults = append(faults, Fault{Kind: Brink, Target: TheLeader, At: at, By: beside})
	})
	return faults
}

// hunt calls shoot at each moment of a hunt.
func hunt(at, span, every time.Duration, shoot func(at time.Duration)) {
	for n := range time.Duration(64) {
		if n > 0 && (every <= 0 || n*every > span) {
			return
		}
		shoot(at + n*every)
	}
}

// parseComposite reads a line of a script that names a composite, and returns what makes its faults; nil if it names
// none. The error says what is wrong with it.
func parseComposite(line string) (func(Scenario) []Fault, error) {
	words := strings.Fields(line)
	var f Fault
	var faults func(s Scenario) []Fault
	switch words[0] {
	case "rolling-restart":
		faults = func(s Scenario) []Fault { return RollingRestart(s.Nodes, f.At, f.For, f.By) }
	case "hunt-leader":
		faults = func(Scenario) []Fault { return HuntLeader(f.At, f.For, f.By) }
	case "hunt-deadline":
		faults = func(s Scenario) []Fault { return HuntDeadline(f.At, f.For, s.Timing.TTL, f.By) }
	default:
		return nil, nil
	}
	if err := f.parseSizes(shape{name: words[0], span: true, by: true}, words[1:]); err != nil {
		return nil, err
	}
	if f.By == 0 {
		return nil, fmt.Errorf("simulate: %s: by 0s is no length of time; give one above 0, such as 5s", words[0])
	}
	return faults, nil
}
