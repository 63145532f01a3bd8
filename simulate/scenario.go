package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// firstLine is how a script begins.
const firstLine = "tenure scenario 1"

// MaxNodes is the largest Scenario.Nodes.
const MaxNodes = 16

// StoreKind is what the store of a scenario is like: which faults it may have.
type StoreKind uint8

const (
	// Expiring is a store that lets leases run out by a clock of its own.
	Expiring StoreKind = iota
	// Register is a store that only offers compare-and-swap, under the algorithm of package lease/register.
	Register
	// Forgetful is a store as Expiring that may lose its latest writes, or end a lease early: one with asynchronous
	// replication, or whose clock is stepped. It is outside of the promise; schedules show what the fence is for.
	Forgetful

	storeKinds = iota
)

var storeNames = [storeKinds]string{"expiring", "register", "forgetful"}

// String returns the store's name as it stands in a script.
func (k StoreKind) String() string {
	if int(k) < storeKinds {
		return storeNames[k]
	}
	return "unknown store"
}

// has reports whether a store of kind k can have a fault of kind f, as far as that kind is concerned.
func (k StoreKind) has(f FaultKind) bool {
	switch f {
	case Conflict:
		return k == Register
	case Late:
		return k != Register
	case Early, Forget:
		return k == Forgetful
	}
	return !shapes[f].beyondPact
}

// Scenario is everything that decides a schedule: the same Scenario makes the same trace, byte for byte, on any
// machine. The zero value of a field is given with it.
type Scenario struct {
	Nodes  int        // how many stand; 0: 3
	Timing fsm.Timing // of every node; zero fields as in fsm.Timing, a zero TTL is 15 s
	Store  StoreKind
	Watch  bool   // the store can be watched
	Seed   uint64 // of every length of time and order that no fault decides
	// Heal is when faults end and the cluster is given time to recover, End is when the schedule ends. 0: 75 s and 120 s
	// with a TTL of 15 s, in proportion otherwise.
	Heal, End time.Duration
	Faults    []Fault
}

// complete returns s with its defaults filled in.
func (s Scenario) complete() Scenario {
	if s.Nodes == 0 {
		s.Nodes = 3
	}
	if s.Timing.TTL == 0 {
		s.Timing.TTL = 15 * time.Second
	}
	s.Timing = s.Timing.Derive()
	if s.Heal == 0 {
		s.Heal = 5 * s.Timing.TTL
	}
	if s.End == 0 {
		s.End = s.Heal + 3*s.Timing.TTL
	}
	return s
}

// Check returns an error that names every fault of s.
func (s Scenario) Check() error {
	var faults []error
	if s.Nodes < 0 || s.Nodes > MaxNodes {
		faults = append(faults, fmt.Errorf("simulate: %d nodes; 1 to %d can be simulated", s.Nodes, MaxNodes))
	}
	s = s.complete()
	if err := s.Timing.Check(); err != nil {
		faults = append(faults, err)
	}
	if s.Heal < 0 || s.End <= s.Heal {
		faults = append(faults, fmt.Errorf("simulate: heal at %v, end at %v; give 0 <= heal < end", s.Heal, s.End))
	}
	for _, f := range s.Faults {
		if int(f.Target) >= s.Nodes {
			faults = append(faults, fmt.Errorf("simulate: %q: there is no node n%d among %d", f, f.Target, s.Nodes))
		}
		if f.At < 0 || f.For < 0 || f.By < 0 && !shapes[min(int(f.Kind), faultKinds-1)].signed {
			faults = append(faults, fmt.Errorf("simulate: %q: negative time", f))
		}
	}
	return errors.Join(faults...)
}

// String returns s as a script that [Parse] reads back.
func (s Scenario) String() string {
	var b strings.Builder
	s = s.complete()
	t := s.Timing
	fmt.Fprintf(&b, "%s\nnodes %d\nstore %s\nwatch %v\nseed %d\n", firstLine, s.Nodes, s.Store, s.Watch, s.Seed)
	fmt.Fprintf(&b, "ttl %v\nrenew %v\nretry %v\ncall-timeout %v\ngrace %v\ndrain %v\npoll %v\nrho %d\njitter %d\n",
		t.TTL, t.Renew, t.Retry, t.CallTimeout, t.Grace, t.Drain, t.Poll, ppm(t.Drift), t.Jitter)
	fmt.Fprintf(&b, "heal %v\nend %v\n", s.Heal, s.End)
	for _, f := range s.Faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

func ppm(ratio float64) int64 { return int64(ratio*1e6 + 0.5) }

// Parse reads a script: a first line "tenure scenario 1", then settings, faults and composites of faults, one a line;
// empty lines and lines that begin with # are skipped. Composites are "rolling-restart", "hunt-leader" and
// "hunt-deadline", each with "at", "for" and "by": see [RollingRestart], [HuntLeader] and [HuntDeadline]. Everything
// that is wrong with the script is reported with its line.
func Parse(r io.Reader) (Scenario, error) {
	var s Scenario
	var faults []error
	lines := bufio.NewScanner(r)
	begun := false
	var composites []func(s Scenario) []Fault
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if !begun {
			if line != firstLine {
				return s, fmt.Errorf("simulate: line %d: %q; a script of this version begins with %q", number, line, firstLine)
			}
			begun = true
			continue
		}
		c, err := parseComposite(line)
		if c != nil {
			composites = append(composites, c)
		} else if err == nil {
			err = s.set(line)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", number, err))
		}
	}
	for _, c := range composites { // when it is known how many nodes there are
		s.Faults = append(s.Faults, c(s.complete())...)
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, err)
	}
	if !begun && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("simulate: an empty script; it begins with %q", firstLine))
	} else if len(faults) == 0 {
		faults = append(faults, s.Check())
	}
	return s, errors.Join(faults...)
}

// set takes in one line of a script.
func (s *Scenario) set(line string) error {
	name, value, _ := strings.Cut(line, " ")
	lengths := map[string]*time.Duration{
		"ttl": &s.Timing.TTL, "renew": &s.Timing.Renew, "retry": &s.Timing.Retry, "call-timeout": &s.Timing.CallTimeout,
		"grace": &s.Timing.Grace, "drain": &s.Timing.Drain, "poll": &s.Timing.Poll, "heal": &s.Heal, "end": &s.End,
	}
	var err error
	switch name {
	case "nodes":
		s.Nodes, err = strconv.Atoi(value)
	case "seed":
		s.Seed, err = strconv.ParseUint(value, 10, 64)
	case "watch":
		s.Watch, err = strconv.ParseBool(value)
	case "jitter":
		s.Timing.Jitter, err = strconv.Atoi(value)
		if s.Timing.Jitter == 0 {
			s.Timing.Jitter = -1
		}
	case "rho":
		var n int64
		n, err = strconv.ParseInt(value, 10, 32)
		if s.Timing.Drift = float64(n) / 1e6; n == 0 {
			s.Timing.Drift = -1
		}
	case "store":
		for k := range StoreKind(storeKinds) {
			if storeNames[k] == value {
				s.Store = k
				return nil
			}
		}
		return fmt.Errorf("simulate: unknown store %q; known are %s", value, strings.Join(storeNames[:], ", "))
	default:
		d := lengths[name]
		if d == nil {
			f, err := ParseFault(line)
			if err == nil {
				s.Faults = append(s.Faults, f)
			}
			return err
		}
		if *d, err = time.ParseDuration(value); err == nil && *d == 0 && name == "grace" {
			*d = -1
		}
	}
	if err != nil {
		return fmt.Errorf("simulate: %s: %q cannot be read: %w", name, value, err)
	}
	return nil
}
