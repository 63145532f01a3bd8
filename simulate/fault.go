package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FaultKind is one way in which things go wrong.
type FaultKind uint8

const (
	noFault FaultKind = iota

	// Of a process.

	Crash   // the process dies and starts again after For, under the same name, as another incarnation
	Leave   // the process is asked to stop, and starts again after For
	Pause   // the process stands still for For, then finds everything that came meanwhile
	Sleep   // the host sleeps for For: as Pause, but its monotonic clock stands still, too
	Brink   // the process stands still until By after its deadline (negative: before), if it leads
	Slow    // for For, everything the process does happens up to By late
	Resign  // a person asks the node to resign
	Hand    // a person asks the node to hand over
	Cordon  // a person pauses the election on the node for For
	Drift   // for For, the clock of the host runs By parts per million fast (negative: slow)
	Forward // the wall clock of the host is set forward by By
	Back    // the wall clock of the host is set back by By

	// Of the link between a process and the store.

	Cut        // nothing passes for For
	CutThere   // for For, requests are lost
	CutBack    // for For, answers and watch news are lost
	Delay      // for For, each message takes up to By longer, so that they overtake each other
	LoseCall   // request number Call is lost
	LoseAnswer // request number Call is carried out and its answer lost
	LateCall   // request number Call arrives By late
	LateAnswer // the answer to request number Call arrives By late
	Twice      // request number Call arrives twice, the second time By later
	TwiceBack  // the answer to request number Call arrives twice, the second time By later
	FailBefore // request number Call is answered with an error and not carried out
	FailAfter  // request number Call is answered with an error and carried out
	Conflict   // a write to a register with request number Call is carried out, and answered as if another had been faster
	Hang       // the client's call with request number Call returns only after By, whatever its context says

	// Of the store.

	Down     // for For, every request is lost
	Refusing // for For, every request is answered with an error and not carried out (read-only, throttled)
	Stall    // for For, requests wait; then they are carried out, in order
	Sluggish // for For, each request takes up to By longer
	Deaf     // for For, watches show nothing
	Echo     // for For, watches show old news again
	Delete   // a person deletes the record by hand; the store remembers its term
	Late     // a lease runs out By late
	Early    // a lease runs out By early                  (outside of the promise)
	Forget   // the store loses its latest Call writes     (outside of the promise)
	Stale    // for For, a register shows what it had before its latest write (outside of the promise)
	Evict    // a person gives the lease to somebody else

	// Of the work.

	Ignore     // from now on for For, work on the node goes on for By after its context has ended
	ReturnSoon // from now on for For, work on the node returns By after it began
	Fails      // from now on for For, work on the node returns an error By after it began

	faultKinds = iota
)

// Target is a node by number from 0 on, or one of the negative values below.
type Target int8

const (
	// TheLeader is whichever node leads when the fault begins; none if nobody does.
	TheLeader Target = -1
	// TheStore is the target of faults of the store.
	TheStore Target = -2
)

// shape says what a fault of one kind is made of.
type shape struct {
	name                   string
	store, call, span, by  bool
	count, ppm, beyondPact bool
	signed                 bool // By may be negative
	seldom                 bool // is drawn for some seeds only, see Plan
}

var shapes = [faultKinds]shape{
	noFault:    {name: "none"},
	Crash:      {name: "crash", span: true},
	Leave:      {name: "leave", span: true},
	Pause:      {name: "pause", span: true},
	Sleep:      {name: "sleep", span: true, seldom: true},
	Brink:      {name: "brink", by: true, signed: true, seldom: true},
	Slow:       {name: "slow", span: true, by: true},
	Resign:     {name: "resign"},
	Hand:       {name: "hand-over"},
	Cordon:     {name: "cordon", span: true},
	Drift:      {name: "drift", span: true, by: true, ppm: true, signed: true},
	Forward:    {name: "clock-forward", by: true},
	Back:       {name: "clock-back", by: true},
	Cut:        {name: "cut", span: true},
	CutThere:   {name: "cut-there", span: true},
	CutBack:    {name: "cut-back", span: true},
	Delay:      {name: "delay", span: true, by: true},
	LoseCall:   {name: "lose-call", call: true},
	LoseAnswer: {name: "lose-answer", call: true},
	LateCall:   {name: "late-call", call: true, by: true},
	LateAnswer: {name: "late-answer", call: true, by: true},
	Twice:      {name: "twice", call: true, by: true},
	TwiceBack:  {name: "twice-back", call: true, by: true},
	FailBefore: {name: "fail-before", call: true},
	FailAfter:  {name: "fail-after", call: true},
	Conflict:   {name: "conflict", call: true, seldom: true},
	Hang:       {name: "hang", call: true, by: true},
	Down:       {name: "down", store: true, span: true},
	Refusing:   {name: "refusing", store: true, span: true},
	Stall:      {name: "stall", store: true, span: true},
	Sluggish:   {name: "sluggish", store: true, span: true, by: true},
	Deaf:       {name: "deaf", store: true, span: true},
	Echo:       {name: "echo", store: true, span: true},
	Delete:     {name: "delete", store: true},
	Late:       {name: "late", store: true, by: true, seldom: true},
	Stale:      {name: "stale", store: true, span: true, beyondPact: true},
	Early:      {name: "early", store: true, by: true, beyondPact: true},
	Forget:     {name: "forget", store: true, count: true, beyondPact: true},
	Evict:      {name: "evict", store: true},
	Ignore:     {name: "ignore", span: true, by: true},
	ReturnSoon: {name: "return-soon", span: true, by: true},
	Fails:      {name: "fails", span: true, by: true},
}

// String returns the name of the kind as it stands in a script.
func (k FaultKind) String() string {
	if int(k) < faultKinds {
		return shapes[k].name
	}
	return "unknown fault"
}

// Fault is one thing that goes wrong in a schedule. The zero Fault is none. Fields that its kind does not use are zero.
type Fault struct {
	Kind   FaultKind
	Target Target
	Call   int           // number of the node's request, from 1 on; for Forget, how many writes
	At     time.Duration // when it begins, from the start of the schedule; not used by faults of one request
	For    time.Duration // how long it lasts
	By     time.Duration // its size; for Drift parts per million
}

// String returns the fault as one line of a script, such as "pause n0 at 35.2s for 15.3s" or "late-answer n0 #8 by
// 200ms".
func (f Fault) String() string {
	s := shapes[min(int(f.Kind), faultKinds-1)]
	var b strings.Builder
	b.WriteString(s.name)
	switch {
	case s.store:
	case f.Target == TheLeader:
		b.WriteString(" leader")
	default:
		fmt.Fprintf(&b, " n%d", f.Target)
	}
	if s.call {
		fmt.Fprintf(&b, " #%d", f.Call)
	} else {
		fmt.Fprintf(&b, " at %v", f.At)
	}
	if s.span {
		fmt.Fprintf(&b, " for %v", f.For)
	}
	switch {
	case s.ppm:
		fmt.Fprintf(&b, " by %dppm", int64(f.By))
	case s.count:
		fmt.Fprintf(&b, " by %d", f.Call)
	case s.by:
		fmt.Fprintf(&b, " by %v", f.By)
	}
	return b.String()
}

// ParseFault reads one line of a script. The error names the word at fault and what was expected in its place.
func ParseFault(line string) (Fault, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Fault{}, fmt.Errorf("simulate: an empty line is no fault; write %q, say", Fault{Kind: Pause, For: time.Second})
	}
	kind := noFault
	for k := FaultKind(1); int(k) < faultKinds; k++ {
		if shapes[k].name == words[0] {
			kind = k
		}
	}
	if kind == noFault {
		return Fault{}, fmt.Errorf("simulate: unknown fault %q; known are %s", words[0], strings.Join(faultNames(), ", "))
	}
	f, s := Fault{Kind: kind}, shapes[kind]
	words = words[1:]
	if s.store {
		f.Target = TheStore
	} else {
		if len(words) == 0 {
			return f, fmt.Errorf("simulate: %s needs a node, such as n0, or leader", kind)
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(words[0], "n"), 10, 8)
		switch {
		case words[0] == "leader":
			f.Target = TheLeader
		case err != nil || n < 0 || words[0][0] != 'n':
			return f, fmt.Errorf("simulate: %s: %q is not a node; write n0, n1, ... or leader", kind, words[0])
		default:
			f.Target = Target(n)
		}
		words = words[1:]
	}
	if s.call {
		if len(words) == 0 || !strings.HasPrefix(words[0], "#") {
			return f, fmt.Errorf("simulate: %s needs the number of a request, such as #3", kind)
		}
		n, err := strconv.Atoi(words[0][1:])
		if err != nil || n < 1 {
			return f, fmt.Errorf("simulate: %s: %q is not the number of a request; they count from #1", kind, words[0])
		}
		f.Call, words = n, words[1:]
	}
	return f, f.parseSizes(s, words)
}

// parseSizes reads "at D", "for D" and "by D", in any order, each exactly if the kind has it.
func (f *Fault) parseSizes(s shape, words []string) error {
	want := map[string]bool{"at": !s.call, "for": s.span, "by": s.by || s.count}
	for len(words) >= 2 {
		name, value := words[0], words[1]
		if !want[name] {
			return fmt.Errorf("simulate: %s: unexpected %q", s.name, name)
		}
		delete(want, name)
		words = words[2:]
		if name == "by" && (s.count || s.ppm) {
			n, err := strconv.Atoi(strings.TrimSuffix(value, "ppm"))
			if err != nil || s.count && n < 1 {
				return fmt.Errorf("simulate: %s: %q is not a whole number", s.name, value)
			}
			if s.count {
				f.Call = n
			} else {
				f.By = time.Duration(n)
			}
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 && !(name == "by" && s.signed) {
			return fmt.Errorf("simulate: %s: %s %q is not a length of time of at least 0, such as 1.5s", s.name, name, value)
		}
		switch name {
		case "at":
			f.At = d
		case "for":
			f.For = d
		default:
			f.By = d
		}
	}
	if len(words) > 0 {
		return fmt.Errorf("simulate: %s: nothing follows %q", s.name, words[0])
	}
	for _, name := range []string{"at", "for", "by"} {
		if want[name] {
			return fmt.Errorf("simulate: %s needs %q and a value", s.name, name)
		}
	}
	return nil
}

func faultNames() []string {
	var names []string
	for _, s := range shapes[1:] {
		names = append(names, s.name)
	}
	return append(names, "rolling-restart", "hunt-leader", "hunt-deadline")
}
