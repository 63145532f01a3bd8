package audience

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// at is a record that says which term of which key it is.
func at(key string, term lease.Term) lease.Record {
	return lease.Record{Lease: lease.Lease{Key: key, Term: term}}
}

// stage is an audience whose loop does what the test tells it.
type stage struct {
	*Audience[int]
	do     chan func(*Loop[int])
	served atomic.Int32 // how often a loop has begun
	ended  atomic.Int32
}

func open() *stage {
	s := &stage{do: make(chan func(*Loop[int]))}
	s.Audience = New(func(ctx context.Context, l *Loop[int]) {
		s.served.Add(1)
		defer s.ended.Add(1)
		for {
			select {
			case <-ctx.Done():
				return
			case f := <-s.do:
				f(l)
			}
		}
	})
	return s
}

// run has the loop do f, and waits for it.
func (s *stage) run(f func(*Loop[int])) {
	done := make(chan struct{})
	s.do <- func(l *Loop[int]) {
		defer close(done)
		f(l)
	}
	<-done
}

// ear is a watch and the terms that it was told.
type ear struct {
	mu    sync.Mutex
	terms []lease.Term
}

func (e *ear) hear(r lease.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.terms = append(e.terms, r.Term)
}

func (e *ear) heard(t *testing.T, want ...lease.Term) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.terms, want) {
		t.Errorf("told of terms %v, want %v", e.terms, want)
	}
}

func TestEverybodyIsToldOfEachStateOnce(t *testing.T) {
	s := open()
	var a, b, other ear
	defer s.Add("k", a.hear)()
	defer s.Add("other", other.hear)()
	tell := func(state any, term lease.Term) (told bool) {
		s.run(func(l *Loop[int]) { told = l.Tell("k", state, at("k", term)) })
		return told
	}
	if tell(nil, 0) {
		t.Error("somebody is told of the state that everybody knows at first")
	}
	if !tell("one", 1) || tell("one", 1) {
		t.Error("a state is to be told once")
	}
	stop := s.Add("k", b.hear)
	if !tell("one", 1) { // b does not know it
		t.Error("who has come later is not told")
	}
	tell("two", 2)
	tell("one", 3) // again, after another
	tell(nil, 4)
	stop()
	tell("five", 5)
	a.heard(t, 1, 2, 3, 4, 5)
	b.heard(t, 1, 2, 3, 4)
	other.heard(t)
	s.run(func(l *Loop[int]) {
		if l.Tell("nobody watches it", 1, at("", 1)) {
			t.Error("somebody is told of a key that nobody watches")
		}
	})
}

func TestWhatIsRememberedOfAKeyLivesWhileItIsWatched(t *testing.T) {
	s := open()
	var e ear
	defer s.Add("other", e.hear)()
	first, second := s.Add("k", e.hear), s.Add("k", e.hear)
	s.run(func(l *Loop[int]) {
		joined := l.Joined()
		slices.Sort(joined)
		if !slices.Equal(joined, []string{"k", "other"}) || len(l.Joined()) > 0 {
			t.Errorf("%q have joined", joined)
		}
		if !l.With("k", func(n *int) { *n = 7 }) {
			t.Error("k is watched")
		}
	})
	first()
	first() // again
	third := s.Add("k", e.hear)
	s.run(func(l *Loop[int]) {
		if joined := l.Joined(); !slices.Equal(joined, []string{"k"}) {
			t.Errorf("%q have joined", joined)
		}
		l.With("k", func(n *int) {
			if *n != 7 {
				t.Errorf("%d is remembered", *n)
			}
		})
	})
	second()
	third()
	s.run(func(l *Loop[int]) {
		if keys := l.Keys(); !slices.Equal(keys, []string{"other"}) {
			t.Errorf("%q are watched", keys)
		}
	})
	fourth := s.Add("k", e.hear)
	fourth() // gone before the loop has looked
	s.run(func(l *Loop[int]) {
		if joined := l.Joined(); len(joined) > 0 {
			t.Errorf("%q have joined, and left", joined)
		}
		if l.With("k", func(*int) {}) {
			t.Error("nobody watches k any more")
		}
	})
	defer s.Add("k", e.hear)()
	s.run(func(l *Loop[int]) {
		sum := 0
		l.Each(func(_ string, n *int) bool {
			sum += *n
			return true
		})
		if sum != 0 {
			t.Errorf("%d is remembered of what was not watched for a while", sum)
		}
		looked := 0
		l.Each(func(string, *int) bool {
			looked++
			return false
		})
		if looked != 1 {
			t.Errorf("%d keys are looked at after the first was enough", looked)
		}
	})
}

func TestOneLoopServesAllAndEndsWithTheLast(t *testing.T) {
	s := open()
	var e ear
	for round := range int32(3) {
		stops := []func(){s.Add("a", e.hear), s.Add("b", e.hear), s.Add("a", e.hear)}
		s.run(func(*Loop[int]) {})
		for _, stop := range stops {
			if s.ended.Load() != round {
				t.Error("the loop has ended before the last")
			}
			stop()
		}
		if s.served.Load() != round+1 || s.ended.Load() != round+1 || s.Loop() != nil {
			t.Errorf("%d loops have begun and %d ended after round %d", s.served.Load(), s.ended.Load(), round)
		}
		for _, stop := range stops {
			stop() // again, when nothing is there any more
		}
	}
}

// A loop that takes its time to end neither sees nor tells those who come meanwhile, and the next begins after it.
func TestALoopHasNothingToDoWithTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var serving, most, begun atomic.Int32
		a := New(func(ctx context.Context, l *Loop[int]) {
			begun.Add(1)
			most.Store(max(most.Load(), serving.Add(1)))
			defer serving.Add(-1)
			<-ctx.Done()
			time.Sleep(time.Second) // as a request that does not heed its context
			if len(l.Keys()) > 0 || len(l.Joined()) > 0 || l.With("k", func(*int) {}) || l.Tell("k", 1, at("k", 1)) {
				t.Error("a loop that was ended has keys")
			}
		})
		var e ear
		first := a.Add("k", e.hear)
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(first) // waits for the end
		synctest.Wait()
		second := a.Add("k", e.hear)
		synctest.Wait()
		if begun.Load() != 1 || most.Load() != 1 {
			t.Errorf("%d loops have begun while the first goes on", begun.Load())
		}
		wg.Wait()
		synctest.Wait()
		if begun.Load() != 2 {
			t.Error("the next loop does not begin")
		}
		second()
		e.heard(t)
		if most.Load() != 1 {
			t.Errorf("%d loops at once", most.Load())
		}
	})
}

func TestStopWaitsForACallThatIsRunningAndNoneComesAfterIt(t *testing.T) {
	a := New(func(ctx context.Context, l *Loop[int]) {
		for n := lease.Term(1); ctx.Err() == nil; n++ {
			l.Tell("k", n, at("k", n))
			l.Tell("other", n, at("other", n))
		}
	})
	others := make(chan struct{}, 1)
	defer a.Add("other", func(lease.Record) {
		select {
		case others <- struct{}{}:
		default:
		}
	})()
	running, goOn := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	stop := a.Add("k", func(lease.Record) {
		if calls.Add(1) == 1 {
			close(running)
			<-goOn
		}
	})
	<-running
	stopped := make(chan int32)
	go func() {
		stop()
		stopped <- calls.Load()
	}()
	select {
	case <-stopped:
		t.Fatal("stop returned while a call was running")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	before := <-stopped
	for range 3 { // one is of before, perhaps
		<-others
	}
	if after := calls.Load(); after != before {
		t.Errorf("called %d times after stop", after-before)
	}
}

func TestWakeSignalsWhoComesAndWhatIsNudged(t *testing.T) {
	s := open()
	woken := func() (is bool) {
		s.run(func(l *Loop[int]) {
			select {
			case <-l.Wake():
				is = true
			default:
			}
		})
		return is
	}
	defer s.Add("k", func(lease.Record) {})()
	if !woken() || woken() {
		t.Error("one signal for the first")
	}
	defer s.Add("k", func(lease.Record) {})()
	s.Loop().Nudge()
	if !woken() || woken() {
		t.Error("one signal for all that happened since the last")
	}
}

// Many come and go while the loop tells; the race detector looks on.
func TestManyComeAndGo(t *testing.T) {
	a := New(func(ctx context.Context, l *Loop[int]) {
		for n := lease.Term(1); ctx.Err() == nil; n++ {
			for _, key := range l.Keys() {
				l.With(key, func(state *int) { *state++ })
				l.Tell(key, n, at(key, n))
			}
		}
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			key := string(rune('a' + i%4))
			for range 50 {
				heard := make(chan struct{}, 1)
				stop := a.Add(key, func(r lease.Record) {
					if r.Key != key {
						t.Errorf("who watches %q is told of %q", key, r.Key)
					}
					select {
					case heard <- struct{}{}:
					default:
					}
				})
				<-heard
				stop()
			}
		})
	}
	wg.Wait()
	if a.Loop() != nil {
		t.Error("a loop is left")
	}
}
