package leasetest

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-tenure/tenure/lease"
)

// listener hears what a watch tells of a key, and holds the watch to its promises.
type listener struct {
	s       *scene
	key     string
	busy    atomic.Int32
	stopped atomic.Bool
	fault   atomic.Bool

	mu   sync.Mutex
	told int
	last lease.Record
}

// listen watches key. What it returns ends the watch, any number of times.
func (s *scene) listen(key string) (*listener, func()) {
	s.Helper()
	l := &listener{s: s, key: key}
	stop, err := s.a.(lease.Watcher).Watch(key, l.changed)
	if err != nil {
		s.Fatalf("Watch(%q) = %v; want nil", key, err)
	}
	end := func() {
		stop()
		if l.busy.Load() != 0 {
			l.faulty("stop returned while changed was running; want it to wait")
		}
		l.stopped.Store(true)
	}
	s.Cleanup(end)
	return l, end
}

func (l *listener) changed(r lease.Record) {
	if l.busy.Add(1) != 1 {
		l.faulty("changed is called while it runs; want one call at a time")
	}
	if l.stopped.Load() {
		l.faulty("changed is called with %+v after stop has returned; want silence", r)
	}
	if r.Key != l.key {
		l.faulty("told of the key %q", r.Key)
	}
	for i := 0; i < 50 && !l.fault.Load(); i++ {
		runtime.Gosched() // gives an overlapping call the chance to be seen
	}
	l.mu.Lock()
	last := l.last
	l.told++
	l.last = r
	l.mu.Unlock()
	if r.Term < last.Term && r.Term > 0 {
		l.faulty("told of term %d after term %d; want the order of the store", r.Term, last.Term)
	}
	l.busy.Add(-1)
}

// faulty reports the first fault of a watch, which mostly has a thousand then, and nothing after the end of the test.
func (l *listener) faulty(format string, args ...any) {
	if l.s.Context().Err() == nil && l.fault.CompareAndSwap(false, true) {
		l.s.Errorf("Watch(%q): "+format, append([]any{l.key}, args...)...)
	}
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// hears waits until the newest record is as wanted.
func (l *listener) hears(what string, want func(lease.Record) bool) {
	l.s.Helper()
	ok := l.s.eventually(func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.told > 0 && want(l.last)
	})
	if !ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.s.Fatalf("Watch(%q) does not tell of %s; told %d times, last of %+v", l.key, what, l.told, l.last)
	}
}

func (l *listener) hearsGrant(granted lease.Lease) {
	l.s.Helper()
	l.hears("the grant of "+show(granted), func(r lease.Record) bool { return r.Lease == granted && r.Remaining != 0 })
}

func (l *listener) hearsVacant(what string) {
	l.s.Helper()
	l.hears(what, func(r lease.Record) bool { return r.Vacant() })
}

// watches reports whether the Manager is a Watcher.
func (s *scene) watches() bool {
	_, ok := s.a.(lease.Watcher)
	if !ok {
		s.Logf("%T is no lease.Watcher", s.a)
	}
	return ok
}

func watchTells(s *scene) {
	if !s.watches() {
		return
	}
	key, fresh, x, y := s.key(), s.key(), s.holder("x"), s.holder("y")
	early, _ := s.listen(fresh)
	l := s.grant(s.b, key, x, s.long)
	one, _ := s.listen(key)
	two, _ := s.listen(key)
	one.hearsGrant(l)
	two.hearsGrant(l)
	s.released(s.b, l)
	one.hearsVacant("the release of " + show(l))
	two.hearsVacant("the release of " + show(l))
	l = s.grant(s.b, key, y, s.long)
	one.hearsGrant(l)
	again := s.grant(s.a, key, y, s.long)
	one.hearsGrant(again)
	two.hearsGrant(again)
	s.released(s.a, again)
	one.hearsVacant("the release of " + show(again))
	early.hearsGrant(s.grant(s.a, fresh, x, s.long))
}

func watchStops(s *scene) {
	if !s.watches() {
		return
	}
	key, h := s.key(), s.holder("holder")
	gone, stop := s.listen(key)
	stays, _ := s.listen(key)
	l := s.grant(s.b, key, h, s.long)
	gone.hearsGrant(l)
	stop()
	stop() // again is allowed
	for range 3 {
		s.released(s.b, l)
		stays.hearsVacant("the release of " + show(l))
		l = s.grant(s.b, key, h, s.long)
		stays.hearsGrant(l) // and gone would have said so if it had been called
	}
	anew, _ := s.listen(key)
	anew.hearsGrant(l)
}

// churn has the lease on key change hands a few times, in a goroutine of its own, whenever more is called, until
// stop is. In between it rests, so that virtual time can pass.
func (s *scene) churn(key string) (more, stop func()) {
	kick, ended := make(chan struct{}, 1), make(chan struct{})
	h := s.holder("churn")
	go func() {
		defer close(ended)
		for range kick {
			for range 5 {
				l, err := s.b.Acquire(s.Context(), key, h, s.long)
				if err == nil {
					err = s.b.Release(s.Context(), l)
				}
				if err != nil && s.Context().Err() == nil {
					s.Errorf("one holder alone takes and releases %q: %v; want nil", key, err)
				}
			}
		}
	}()
	more = func() {
		select {
		case kick <- struct{}{}:
		default:
		}
	}
	stop = sync.OnceFunc(func() {
		close(kick)
		<-ended
	})
	s.Cleanup(stop)
	return more, stop
}

func watchStopWaits(s *scene) {
	if !s.watches() {
		return
	}
	key := s.key()
	more, quiet := s.churn(key)
	for range 20 {
		l, stop := s.listen(key)
		s.busy(l, 2, more)
		more()
		together(2, func(int) { stop() })
	}
	quiet()
}

// busy waits until l has been told n times, while the lease changes hands.
func (s *scene) busy(l *listener, n int, more func()) {
	s.Helper()
	if !s.eventually(func() bool { more(); return l.count() >= n }) {
		s.Fatalf("Watch(%q) told %d times while the lease changed hands all the time; want %d", l.key, l.count(), n)
	}
}

func watchInOrder(s *scene) {
	if !s.watches() {
		return
	}
	key := s.key()
	l, _ := s.listen(key)
	for range 10 {
		more, quiet := s.churn(key)
		s.busy(l, l.count()+3, more)
		quiet()
		newest := s.grant(s.a, key, s.holder("newest"), s.long)
		l.hearsGrant(newest)
		s.released(s.a, newest)
		l.hearsVacant("the release of " + show(newest))
	}
}
