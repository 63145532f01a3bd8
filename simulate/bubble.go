package simulate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Bubble runs real nodes of package actor, with the user's real work, in the virtual time of a [synctest] bubble, over
// the same network, store, faults and checks as [Play]. declare says what is to happen; it is called before time
// begins, in the bubble, once for each of c.Seeds seeds from c.First on (0: one).
//
//	simulate.Bubble(t, simulate.Cluster{Nodes: 3}, func(w *simulate.World) {
//		ledger := w.FencedStore("ledger")
//		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
//			return billing.Run(ctx, w.ClockOf(t), ledger.With(t))
//		})
//		w.At(20*time.Second, simulate.Fault{Kind: simulate.Pause, Target: simulate.TheLeader, For: 40 * time.Second})
//		w.HealAt(2 * time.Minute)
//		w.Expect(simulate.OneWriter(ledger), simulate.FailoverWithin(25*time.Second), simulate.Drained(2*time.Second))
//	})
//
// One thing happens at a time: a driver delivers one timer, answer or return and waits until everything has come to
// rest, so that one seed is one run. Out of its hands is only what the user's own goroutines do at one and the same
// instant. Every step of every node is taken by a machine of the simulation as well; the rule "conform" is violated if
// they do not agree in each move, call and deadline. A panic of the work violates the rule "panic", unless
// [World.RestartAfter] says that it ends a process.
//
// Work may use contexts and package time as it likes. A process that is paused or has died reaches nothing: its calls,
// writes, returns, clock timers wait, or are lost. What its work computes meanwhile for itself goes on.
//
// The first schedule that violates a rule or an expectation is shrunk as by [Shrink]: declare is called again and
// again, each time in a new bubble, with what [World.At] and its like declared replaced by a smaller script. t fails
// with what is left: the script, the timeline, a picture, a token and a test to paste. The script is kept in c.Keep, in
// a directory named after the test, and played before all seeds from then on.
//
// So declare must be repeatable. It keeps its state in variables of its own, not in the test's, nor in globals that a
// run leaves changed. It and the work do the same whenever they are called with the same World: no random numbers but
// from a fixed seed, no order of a map, no real file, socket or time. What must hold is an [Expectation], not a call of
// t.Error, which a shrinker cannot see. If a schedule that failed goes another way when it is played again, the report
// says so and nothing is shrunk.
func Bubble(t *testing.T, c Cluster, declare func(w *World)) {
	t.Helper()
	if declare == nil {
		t.Fatal("simulate: Bubble without a function; give one that declares what is to happen")
	}
	replayKept(t, c, declare)
	s := &series{c: c, met: map[string]bool{}}
	for seed := c.First; seed < c.First+uint64(max(c.Seeds, 1)); seed++ {
		s.play(t, seed, declare)
	}
	for _, rule := range s.foreseen {
		if !s.met[rule] {
			t.Fatalf("simulate: expected that %s is violated, and it was not by any of %d schedules", rule, s.played)
		}
	}
	t.Logf("simulate: %d bubbles, %d events in %v of simulated time; digest %016x", s.played, s.events, s.passed, s.digest)
}

// series is several bubbles, one for each seed.
type series struct {
	c        Cluster
	foreseen []string
	met      map[string]bool // of what was foreseen
	played   int
	events   int
	passed   time.Duration
	digest   uint64
}

// play plays one seed.
func (s *series) play(t *testing.T, seed uint64, declare func(w *World)) {
	t.Helper()
	w := bubble(t, s.c, seed, declare)
	if len(w.failures) > 0 {
		w.fail(t, s.c, declare)
	}
	if s.c.Twice {
		if again := bubble(t, s.c, seed, declare); again.digest != w.digest {
			t.Fatalf("simulate: seed %d goes two ways (digest %016x, then %016x): the function given to Bubble is not "+
				"repeatable; its documentation says what makes it so\n%s", seed, w.digest, again.digest, again.picture())
		}
	}
	for _, v := range w.met {
		if !s.met[v.Rule] {
			t.Logf("simulate: seed %d violates, as expected, %s", seed, v)
		}
		s.met[v.Rule] = true
	}
	s.foreseen = w.foreseen
	s.played++
	s.events += w.world.events
	s.passed += w.world.sc.End
	s.digest = (s.digest ^ w.digest) * 0xd6e8feb86659fd93
}

// bubble plays one seed and returns what came of it.
func bubble(t *testing.T, c Cluster, seed uint64, declare func(w *World)) *World {
	t.Helper()
	sc := c.base()
	sc.Seed = seed
	return inBubble(t, sc, nil, declare)
}

// inBubble plays what declare says of sc or, if there is one, script instead.
func inBubble(t *testing.T, sc Scenario, script *Scenario, declare func(w *World)) *World {
	t.Helper()
	w := &World{
		scenario: sc, script: script, restart: -1, real: clock.New(), digest: 14695981039346656037,
		timers: map[uint64]*timer{}, writes: map[uint64]*write{}, signals: map[uint64]*signal{},
		panics: map[uint64]*panicked{}, void: map[request]bool{}, holders: map[lease.Holder]*process{},
	}
	synctest.Test(t, func(*testing.T) {
		w.start, w.poke = w.real.Now(), make(chan struct{}, 1) // of this bubble
		w.alarm = w.real.Timer(patience)
		defer w.alarm.Stop()
		w.clock = newNodeClock(w, nil, false)
		declare(w)
		if w.failures = w.complete(); len(w.failures) == 0 {
			w.play()
		}
	})
	return w
}

// World is what a bubble simulates. The methods that declare something, from Lead to ExpectViolation, are for the
// function given to [Bubble]; the others may be called from anywhere in the bubble.
type World struct {
	scenario  Scenario
	key       string
	lead      func(context.Context, *actor.Tenure) error
	configure func(node int, c *actor.Config, e *actor.Election)
	expect    []Expectation
	tasks     []task
	wrong     []error  // in what was declared
	foreseen  []string // rules that are to be violated
	planned   bool
	mocks     bool
	restart   time.Duration // after a panic; negative: a panic is a violation
	script    *Scenario     // to play instead of what is declared

	world    world // the network, the store, the machines and the checks of engine A
	trace    *Trace
	real     clock.Clock // of the bubble
	start    time.Time
	clock    *nodeClock
	poke     chan struct{} // tells the driver that something is in the inbox
	alarm    *clock.Timer  // ends the driver's sleep
	failures []error       // of what was declared, or else of *unmet
	met      []Violation   // that were foreseen
	stack    string        // where the work panicked
	digest   uint64
	seen     int // entries of the trace that have been dealt with
	procs    [MaxNodes]*process
	all      []*process
	timers   map[uint64]*timer
	writes   map[uint64]*write
	signals  map[uint64]*signal
	panics   map[uint64]*panicked
	meddles  bool             // there are faults of the work
	void     map[request]bool // requests that were never made
	numbers  uint64
	instant  atomic.Int64 // the true time, on Mocks
	still    int          // items since time last moved
	sent     [MaxNodes]uint64
	awaited  [MaxNodes]pending // before the item that is happening

	mu      sync.Mutex // guards what follows, and what is said so elsewhere
	inbox   inbox
	holders map[lease.Holder]*process
}

// Clock returns the true time. Its timers are delivered one at a time and are not held by a pause of any process.
func (w *World) Clock() clock.Clock { return w.clock }

// ClockOf returns the clock of the process that t leads on, with its drift; a pause of the process holds its timers.
// Reset of its timers has no effect; Tick and Ticker are those of package time in the bubble and held by nothing.
func (w *World) ClockOf(t *actor.Tenure) clock.Clock {
	if p := w.processOf(t); p != nil && w.mocks {
		return mockClock{p.mock, w}
	} else if p != nil {
		return p.workClock
	}
	return w.clock
}

// Node returns the node that runs as number i at present, nil if none does. Call it from Do and from the end of the
// schedule on only.
func (w *World) Node(i int) *actor.Node {
	if i < 0 || i >= MaxNodes || w.procs[i] == nil {
		return nil
	}
	return w.procs[i].node
}

// Leader returns the number of the node that leads, -1 if none does. Call it from Do only.
func (w *World) Leader() int {
	for i := range w.world.sc.Nodes {
		if n := &w.world.nodes[i]; n.up && n.machine.State() == fsm.Leader {
			return i
		}
	}
	return -1
}

// Now returns the true time since the beginning.
func (w *World) Now() time.Duration {
	if w.mocks {
		return time.Duration(w.instant.Load())
	}
	return w.real.Since(w.start)
}

// Trace returns what has happened so far. Call it from Do and from an Expectation only.
func (w *World) Trace() *Trace { return w.trace }

// play runs the schedule, ends all nodes and checks what was expected.
func (w *World) play() {
	w.trace = &Trace{Scenario: w.scenario, Entries: make([]Entry, 0, 512)}
	w.world.trace = w.trace
	w.meddles = slices.ContainsFunc(w.scenario.Faults, ofWork)
	w.world.start(w.scenario)
	w.world.ownWork = true
	if w.mocks {
		for i := range w.world.nodes {
			w.world.nodes[i].rate = 0
		}
	}
	for i, k := range w.tasks {
		w.world.push(item{at: int64(k.at), do: doTask, call: uint64(i)})
	}
	defer w.finish() // even if a function of the user's ends this goroutine
	w.drive()
	w.world.check.end(&w.world)
	w.judge()
}

var errDied = errors.New("simulate: this process is no more")
