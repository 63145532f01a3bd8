package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// tick is the unit of time of the walk. All instants in it are whole ticks.
const tick = time.Millisecond

// smallTiming is the smallest in which a renewal may fail twice before the lease ends, which many a fault needs.
func smallTiming(t testing.TB) *Timing {
	return ticks(t, Timing{TTL: 12, Renew: 4, Retry: 1, CallTimeout: 2, Grace: 2, Drain: 6, Poll: 4})
}

// tinyTiming is the smallest that passes the check.
func tinyTiming(t testing.TB) *Timing {
	return ticks(t, Timing{TTL: 6, Renew: 2, Retry: 1, CallTimeout: 1, Grace: 1, Drain: 3, Poll: 2})
}

// ticks makes ticks of the numbers in t, on clocks that agree and without jitter.
func ticks(t testing.TB, n Timing) *Timing {
	t.Helper()
	n.Drift, n.Jitter = -1, -1
	for _, d := range []*time.Duration{&n.TTL, &n.Renew, &n.Retry, &n.CallTimeout, &n.Grace, &n.Drain, &n.Poll} {
		*d *= tick
	}
	if err := n.Check(); err != nil {
		t.Fatal(err)
	}
	return &n
}

// Every world of the walk is looked at from the same instant, with the same number for the latest call and the same
// term.
const (
	present  = Instant(1000 * tick)
	number   = 100
	ourTerm  = 10
	maxSteps = 20
)

// normal returns w as it would be if now were the present: instants that have passed, or that nothing will ask for
// before setting them, are all the same; so are terms and call numbers but for which is greater. Two worlds with the
// same normal form have the same future. A test holds normal to that.
func (w world) normal(now Instant) world {
	t := w.m.timing
	at := func(matters bool, i Instant, past time.Duration) Instant {
		if !matters {
			return 0
		}
		d := max(i.Sub(now), -past)
		if off := d % tick; off > 0 { // nothing happens between ticks
			d += tick - off
		}
		return present.Add(d)
	}
	m := &w.m
	leading, leaving := m.state == Leader, m.state == Releasing
	awaits := m.awaits != NoCall
	bound := leading || leaving && (m.working || m.awaits == Renew)
	w.until, m.until = at(bound, w.until, 0), at(bound, m.until, 0)
	m.next = at(!awaits && m.Wake() != Never && !(leaving && m.working && !m.renewing), m.next, 0)
	m.sent, w.sent = at(awaits, m.sent, lead(t)), at(awaits, w.sent, lead(t))
	w.limit = at(awaits, w.limit, 0)
	m.by, w.by = at(leaving, m.by, 0), at(leaving, w.by, 0)
	m.since = at(leading, m.since, t.TTL+tick)
	w.rest = at(m.state == Follower, w.rest, 0)
	w.pace = at(leading || leaving, w.pace, 0)

	m.renewing, m.overran = m.renewing && leaving && m.working, m.overran && leaving && m.working
	m.gone, w.lost = m.gone && leaving, w.lost && leaving
	m.failed = m.failed && leaving && !m.working && m.left == Finished
	m.vacant, w.free = m.vacant && m.state == Acquiring, w.free && m.state == Acquiring
	m.holdBack = m.holdBack && m.state == Follower && (m.next > present || m.left == HandedOver)
	if leading || m.state == Follower && (m.left != HandedOver || !m.holdBack) {
		m.left = None
	}
	if !leaving && (w.left != HandedOver || w.rest <= present) {
		w.left = None
	}
	w.moved = w.moved && w.left == HandedOver && m.state == Follower
	if m.state != Follower || m.reason != None && m.reason != Held {
		m.reason = Released
	}
	w.relabel()
	return w
}

// flat returns w without the growth of its back-offs, which would multiply the worlds by their steps and lead nowhere
// else. Tests of their own are about the growth.
func (w world) flat() world {
	m := &w.m
	m.since, m.tries = 0, min(m.tries, 1)
	if m.failures > 0 {
		m.failures = 0
		if m.state == Releasing && m.failed {
			m.failures = 1
		}
	}
	return w
}

// relabel is the part of normal about terms and numbers.
func (w *world) relabel() {
	m := &w.m
	rank := func(matters bool, term lease.Term) lease.Term {
		switch {
		case !matters || term == 0:
			return 0
		case term < m.term:
			return ourTerm - 1
		case term > m.term:
			return ourTerm + 1
		}
		return ourTerm
	}
	w.term = rank(m.state >= Leader && !w.doubt, w.term)
	w.heard = rank(w.op == Acquire && w.heard >= m.term, w.heard)
	m.term = rank(true, m.term)
	m.calls, w.calls, w.owed = number, number, number
}

// A key is the normal form of a world in few bytes.
type key struct {
	at    [12]int8
	terms [3]uint8
	bits  uint32
	small [8]uint8
}

func (w *world) key() key {
	m := &w.m
	var k key
	for i, at := range [len(k.at)]Instant{
		m.until, w.until, m.next, m.sent, w.sent, w.limit, m.by, w.by, m.since, w.rest, w.pace,
	} {
		k.at[i] = -128
		if at != 0 {
			k.at[i] = int8(at.Sub(present) / tick)
		}
	}
	k.terms = [3]uint8{uint8(m.term), uint8(w.term), uint8(w.heard)}
	for i, is := range [...]bool{
		m.working, m.renewing, m.gone, m.doubt, m.overran, m.holdBack, m.paused, m.stopped, m.failed,
		m.vacant, w.work, w.draining, w.lost, w.doubt, w.moved, w.free, w.paused, w.stopped,
	} {
		if is {
			k.bits |= 1 << i
		}
	}
	k.small = [8]uint8{
		uint8(m.state), uint8(m.reason), uint8(m.left), uint8(m.awaits), m.tries, m.failures, uint8(w.left), uint8(w.op),
	}
	return k
}

// everyInput is all that can happen to a machine, likely or not.
func everyInput() []Input {
	var all []Input
	terms := []lease.Term{0, ourTerm - 1, ourTerm, ourTerm + 1}
	remaining := []time.Duration{-1, 0, 2 * tick, 20 * tick}
	for k := range Kind(kinds) {
		switch k {
		case Granted:
			for _, term := range terms {
				all = append(all, Input{Kind: k, Call: number, Term: term, Op: Acquire})
				all = append(all, Input{Kind: k, Call: number - 1, Term: term, Op: Acquire})
				all = append(all, Input{Kind: k, Call: number - 1, Term: term, Op: Renew})
				all = append(all, Input{Kind: k, Call: 0, Term: term, Op: Release})
			}
		case Refused:
			for _, term := range terms {
				for _, d := range remaining {
					all = append(all, Input{Kind: k, Call: number, Term: term, Who: Other, Remaining: d})
				}
				for who := range Us + 1 {
					all = append(all, Input{Kind: k, Call: number, Term: term, Who: who, Remaining: -1})
					all = append(all, Input{Kind: k, Call: number - 1, Term: term, Who: who, Op: Renew, Remaining: -1})
				}
			}
		case Unknown:
			all = append(all,
				Input{Kind: k, Call: number}, Input{Kind: k, Call: number, Permanent: true},
				Input{Kind: k, Call: number - 1, Op: Acquire}, Input{Kind: k, Call: number - 1, Op: Renew})
		case Seen:
			for _, term := range terms {
				for who := range Us + 1 {
					for _, d := range remaining {
						all = append(all, Input{Kind: k, Term: term, Who: who, Remaining: d})
					}
				}
			}
		case Drained:
			for o := range Over + 1 {
				all = append(all, Input{Kind: k, Outcome: o})
			}
		default:
			all = append(all, Input{Kind: k})
		}
	}
	for i := range all {
		all[i].Now = present
	}
	return all
}

// meant sets the Op of an answer to that of the call it answers. An answer with the number of the latest call, when
// that is no longer awaited, is one to an Acquire.
func (w *world) meant(in Input) Input {
	if in.Call == number && w.op != NoCall {
		in.Op = w.op
	}
	return in
}

// A walk is every world that can be reached, breadth first, with the way that led there.
type walk struct {
	worlds []world
	from   []int32 // the world before
	by     []int16 // the input that led here, -1: a tick of time went by
	seen   map[key]int32
	inputs []Input
	moves  map[Move]int
	steps  int
}

// explore reaches every world from start, until check or a rule finds a fault.
func explore(start world, check func(world, Instant) *fault) (*walk, *fault) {
	k := &walk{seen: map[key]int32{}, inputs: everyInput(), moves: map[Move]int{}}
	k.reach(start, -1, -1)
	for i := 0; i < len(k.worlds); i++ {
		w := k.worlds[i]
		if err := check(w, present); err != nil {
			return k, k.tell(err, i, -2)
		}
		// A host that is late does not step for a while, whatever Wake says.
		k.reach(w.normal(present.Add(tick)).flat(), int32(i), -1)
		for j, in := range k.inputs {
			next := w
			_, err := next.step(next.meant(in))
			k.steps++
			if err != nil {
				return k, k.tell(err, i, j)
			}
			if from, to := w.m.State(), next.m.State(); from != to {
				k.moves[Move{from, next.m.Reason(), to}]++
			}
			k.reach(next.normal(present).flat(), int32(i), int16(j))
		}
	}
	return k, nil
}

func (k *walk) reach(w world, from int32, by int16) {
	key := w.key()
	if _, known := k.seen[key]; known {
		return
	}
	k.seen[key] = int32(len(k.worlds))
	k.worlds, k.from, k.by = append(k.worlds, w), append(k.from, from), append(k.by, by)
}

// tell adds to err the shortest way to it: to world i, and then input j.
func (k *walk) tell(err *fault, i, j int) *fault {
	var way []string
	if j >= 0 {
		way = append(way, describe(k.inputs[j]))
	}
	for at := int32(i); k.from[at] >= 0; at = k.from[at] {
		if k.by[at] < 0 {
			way = append(way, "a tick goes by")
		} else {
			way = append(way, describe(k.inputs[k.by[at]])+"\t-> "+k.worlds[at].m.State().String())
		}
	}
	slices.Reverse(way)
	return &fault{err.rule, fmt.Sprintf("%s\nafter %d worlds, %d steps:\n\t%s\nfrom %+v",
		err.what, len(k.worlds), k.steps, strings.Join(way, "\n\t"), k.worlds[i].m)}
}

func describe(in Input) string {
	s := in.Kind.String()
	switch in.Kind {
	case Granted, Refused, Unknown:
		s += fmt.Sprintf(" call %d (%v)", in.Call, in.Op)
	case Drained:
		s += fmt.Sprintf(" outcome %d", in.Outcome)
	}
	if in.Kind != Unknown && (in.Term > 0 || in.Kind == Granted || in.Kind == Refused || in.Kind == Seen) {
		s += fmt.Sprintf(" term %d", in.Term)
	}
	if in.Kind == Refused || in.Kind == Seen {
		s += fmt.Sprintf(" who %d, remaining %v", in.Who, in.Remaining)
	}
	return s
}

// tinyWalk is the walk that several tests look at.
var tinyWalk struct {
	sync.Once
	*walk
}

func TestEveryReachableMachineKeepsTheRules(t *testing.T) {
	t.Run("tiny", func(t *testing.T) { keepsTheRules(t, walkTiny(t)) })
	if !underRace { // package fsm/internal/mutants runs this test without the race detector, always
		t.Run("small", func(t *testing.T) { keepsTheRules(t, explored(t, smallTiming(t))) })
	}
}

// walkTiny walks with tinyTiming, once for all tests.
func walkTiny(t *testing.T) *walk {
	t.Helper()
	tinyWalk.Do(func() { tinyWalk.walk = explored(t, tinyTiming(t)) })
	if tinyWalk.walk == nil {
		t.Fatal("the walk has failed")
	}
	return tinyWalk.walk
}

func explored(t *testing.T, timing *Timing) *walk {
	t.Helper()
	began := time.Now()
	worst := &outlook{}
	k, err := explore(newWorld(timing, 0).normal(0), worst.check)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d worlds, %d steps, %v", len(k.worlds), k.steps, time.Since(began).Round(time.Millisecond))
	t.Logf("at most %v to lead, %v to end, %d steps at one instant", worst.lead, worst.end, worst.busy)
	return k
}

// keepsTheRules compares the moves that were made with the table.
func keepsTheRules(t *testing.T, k *walk) {
	if len(k.worlds) < 5_000 {
		t.Errorf("%d worlds are too few to mean anything", len(k.worlds))
	}
	made := maps.Clone(k.moves)
	for _, m := range moves {
		if made[m] == 0 {
			t.Errorf("%v -> %v (%v) is in the table, but no machine makes it", m.From, m.To, m.Reason)
		}
		delete(made, m)
	}
	for m := range made {
		t.Errorf("%v -> %v (%v) is made, but not in the table", m.From, m.To, m.Reason)
	}
}
