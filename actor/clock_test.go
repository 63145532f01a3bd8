package actor

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// wall gives n a wall clock that is ahead of its monotonic clock by what the test stores.
func (n *node) wall() (ahead *atomic.Int64) {
	ahead = new(atomic.Int64)
	start, mono := clocks(n.w.clock)
	n.clock = newTimepiece(start, func() (m, wall time.Duration) {
		m, _ = mono()
		return m, m + time.Duration(ahead.Load())
	})
	return ahead
}

func TestR11_AHostThatSleptLongerThanItsLeaseLeadsNoMore(t *testing.T) {
	inWorld(t, func(w *world) {
		var slept []time.Duration
		n := w.make("a", nil, func(c *Config) { c.Hooks.Slept = func(d time.Duration) { slept = append(slept, d) } })
		ahead := n.wall()
		k := &work{w: w}
		n.run(w.Context())
		c := n.campaign(Election{Lead: k.lead})
		w.pass(300 * time.Millisecond)
		ahead.Store(int64(leadFor)) // its monotonic clock stood still meanwhile, and so did its timers
		if c.Status().Leading || k.begun[0].Leading() || c.Check(w.Context()) == nil {
			w.Error("whoever asks is told that it leads, before the actor has woken up")
		}
		w.same("told before the actor has woken up", len(k.told), 0)
		w.pass(700 * time.Millisecond)
		w.same("told within a second", k.told, []time.Duration{time.Second})
		w.same("reasons", n.story("billing")[:3], []string{"due", "won", "expired"})
		w.same("slept", slept, []time.Duration{leadFor})
	})
}

func TestR11_AShortSleepShortensTheLeaseByAsMuch(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.make("a", w.faulty(fault(leasetest.Renew, 0, leasetest.ErrorBefore)))
		ahead := n.wall()
		k := &work{w: w}
		n.run(w.Context())
		n.campaign(Election{Lead: k.lead})
		for range 3 {
			w.pass(time.Second)
			ahead.Add(int64(2 * time.Second))
		}
		w.pass(leadFor - 9*time.Second)
		w.same("told at", k.told, []time.Duration{leadFor - 6*time.Second})
	})
}

func TestAWallClockThatIsSetBackAndForthIsNeverToTheLeadersAdvantage(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.make("a", w.faulty(fault(leasetest.Renew, 0, leasetest.ErrorBefore)))
		ahead := n.wall()
		k := &work{w: w}
		n.run(w.Context())
		c := n.campaign(Election{Lead: k.lead})
		w.pass(2 * time.Second)
		ahead.Store(-int64(time.Hour)) // back: ignored
		w.pass(2 * time.Second)
		w.same("time left after it was set back", c.Status().Remaining, leadFor-4*time.Second)
		ahead.Add(int64(3 * time.Second)) // forth: may have been a sleep
		w.same("time left after it was set forth", c.Status().Remaining, leadFor-7*time.Second)
		ahead.Add(-int64(3 * time.Second)) // noted by nobody: it may have been a glitch
		w.pass(time.Second)
		w.same("time left after it was set back again", c.Status().Remaining, leadFor-5*time.Second)
		w.pass(leadFor)
		w.same("told at", k.told[0], leadFor)
	})
}

func TestASteeredWallClockIsNoSleep(t *testing.T) {
	var mono, wall time.Duration
	p := newTimepiece(time.Time{}, func() (time.Duration, time.Duration) { return mono, wall })
	for range 1000 {
		mono += time.Second
		wall += time.Second + sleepMargin
		if _, jump := p.advance(); jump != 0 {
			t.Fatalf("a jump of %v was seen", jump)
		}
	}
	if now, _ := p.advance(); now != fsm.Instant(mono) || p.now() != now {
		t.Errorf("it is %v after %v", time.Duration(now), mono)
	}
}

func TestTheTimepieceNeverGoesBackAndNeverFallsBehindEitherClock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var mono, wall time.Duration
		p := newTimepiece(time.Time{}, func() (time.Duration, time.Duration) { return mono, wall })
		var before fsm.Instant
		for range 100 {
			step := time.Duration(random.IntN(int(time.Second)))
			mono += step
			wall += step
			jump := time.Duration(0)
			if random.IntN(4) == 0 {
				jump = time.Duration(random.IntN(int(time.Minute))) - 20*time.Second
			}
			wall += jump
			reader := p.now()
			now, noted := p.advance()
			switch {
			case now < before.Add(step), jump > sleepMargin+noteMargin && now < before.Add(step+jump):
				t.Fatalf("%v after %v, though %v passed and the wall clock jumped by %v", now, before, step, jump)
			case reader != now || p.now() != now:
				t.Fatalf("a reader saw %v, the actor %v", reader, now)
			case (noted > 0) != (jump > sleepMargin):
				t.Fatalf("a jump of %v was noted as %v", jump, noted)
			}
			before = now
		}
	}
}

// A reader between two writes of the actor must not count a jump twice.
func TestNoReaderOfTheTimeSeesAJumpTwice(t *testing.T) {
	var ahead atomic.Int64
	p := newTimepiece(time.Time{}, func() (time.Duration, time.Duration) {
		a := time.Duration(ahead.Load())
		return 0, a
	})
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		readers.Go(func() {
			for !stop.Load() {
				if now := p.now(); now > fsm.Instant(ahead.Load()) {
					t.Errorf("%d is later than any clock has shown", now)
					return
				}
			}
		})
	}
	for range 2000 {
		ahead.Add(int64(time.Second))
		p.advance()
	}
	stop.Store(true)
	readers.Wait()
}

func TestAPausedProcessFindsItsTermOverWhenItWakes(t *testing.T) {
	inWorld(t, func(w *world) {
		k := &work{w: w}
		n := w.node("a", nil)
		c := n.campaign(Election{Lead: k.lead})
		w.pass(time.Second)
		w.leap(20 * time.Second) // nothing of this process ran meanwhile
		w.same("told at", k.told, []time.Duration{21 * time.Second})
		w.same("story", n.story("billing")[:3], []string{"due", "won", "expired"})
		w.pass(20 * time.Second)
		w.state(c, fsm.Leader)
		if terms := k.terms(); len(terms) != 2 || terms[1] <= terms[0] {
			w.Errorf("terms are %v", terms)
		}
	})
}

// ledger is a clock that keeps count of the timers that run.
type ledger struct {
	clock.Clock
	running, most atomic.Int64
}

func (l *ledger) AfterFunc(d time.Duration, f func()) *clock.Timer {
	var once sync.Once
	over := func() { once.Do(func() { l.running.Add(-1) }) }
	l.most.Store(max(l.most.Load(), l.running.Add(1)))
	t := l.Clock.AfterFunc(d, func() { over(); f() })
	// The Stop of a timer cannot be seen, so a timer that was stopped counts until it would have fired.
	l.Clock.AfterFunc(d+1, over)
	return t
}

// A timer that fires while it is replaced by an earlier one leaves a message behind. Taking that for the message of the
// new one would leave two timers running, for ever, and more with each such coincidence.
func TestATimerThatFiresWhileItIsReplacedLeavesNoSecondOneRunning(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.node("a", nil)
		n.campaign(Election{Key: "x"})
		for i := range 50 {
			n.mail.post(message{what: ticked, number: n.timer - 1}) // as a replaced timer does
			if i%10 == 0 {
				w.pass(time.Second)
			}
			w.pass(0)
		}
		armed := n.timer
		w.pass(10 * time.Second)
		if more := n.timer - armed; more > 14 { // once a second, and at each renewal
			w.Errorf("%d timers were armed in 10 s", more)
		}
	})
}

func TestAThousandElectionsShareOneTimer(t *testing.T) {
	inWorld(t, func(w *world) {
		l := &ledger{Clock: w.clock}
		quiet := &newsstand{Manager: w.store} // its watches need no timer
		n := w.node("a", quiet, func(c *Config) { c.Clock = l })
		for i := range 1000 {
			if _, err := n.Campaign(Election{Key: fmt.Sprint(i), TTL: ttl}); err != nil {
				w.Fatal(err)
			}
		}
		w.pass(10 * time.Millisecond)
		l.most.Store(0)
		w.pass(20 * time.Second)
		if most := l.most.Load(); most > 20 {
			w.Errorf("%d timers at once", most)
		}
		if got := n.tap.count(fsm.Renew); got < 3000 {
			w.Errorf("%d renewals", got)
		}
	})
}

func TestTheNodeUsesNowAfterFuncAndStopOfItsClockOnly(t *testing.T) {
	inWorld(t, func(w *world) {
		strict := &strictClock{Clock: nil, now: w.clock.Now, afterFunc: w.clock.AfterFunc} // any other method panics
		k := &work{w: w}
		n := w.node("a", nil, func(c *Config) { c.Clock = strict })
		c := n.campaign(Election{Lead: k.lead, Heartbeat: func(ctx, bool) error { return nil }, HeartbeatEvery: time.Second})
		w.pass(20 * time.Second)
		_ = c.Resign()
		w.pass(20 * time.Second)
		w.same("terms", k.terms(), []lease.Term{1, 2})
	})
}

type strictClock struct {
	clock.Clock
	now       func() time.Time
	afterFunc func(time.Duration, func()) *clock.Timer
}

func (s *strictClock) Now() time.Time                                   { return s.now() }
func (s *strictClock) AfterFunc(d time.Duration, f func()) *clock.Timer { return s.afterFunc(d, f) }
