package leasetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// scene is what a law is tested with: two clients of one store, keys that nobody else uses, and time.
type scene struct {
	TB
	c      Config
	a, b   lease.Manager
	limits lease.Limits
	ttl    time.Duration // of leases that are to run out
	long   time.Duration // of leases that are not
	late   time.Duration
	prefix string
	keys   atomic.Int64
}

// drift is the largest ratio by which the clock of a store may differ from ours.
const drift = 0.01

func (c Config) scene(t TB) *scene {
	s := &scene{TB: t, c: c, ttl: c.TTL, late: c.Late, prefix: "leasetest-" + rand.Text()[:10]}
	s.a = c.New(t)
	s.b = s.a
	if c.Peer != nil {
		s.b = c.Peer(t, s.a)
	}
	s.limits = limits(s.a)
	if s.ttl == 0 {
		s.ttl = max(s.limits.MinTTL, s.limits.Step, time.Second)
		if s.limits.MinTTL > 0 {
			s.ttl = max(s.limits.MinTTL, s.limits.Step)
		}
	}
	if s.late == 0 {
		s.late = s.ttl
	}
	s.long = max(time.Minute, 10*s.ttl)
	if s.limits.MaxTTL > 0 {
		s.long = min(s.long, s.limits.MaxTTL)
	}
	if s.limits.Step > 0 {
		s.long -= s.long % s.limits.Step
	}
	if err := errors.Join(s.limits.Check(s.ttl), s.limits.Check(s.long)); err != nil {
		t.Fatalf("the suite cannot run with a TTL of %v: %v", s.ttl, err)
	}
	return s
}

// key returns a key that no other scene uses.
func (s *scene) key() string { return fmt.Sprintf("%s-%d", s.prefix, s.keys.Add(1)) }

// holder returns a holder that no other scene uses.
func (s *scene) holder(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: lease.NewIncarnation(), Meta: "http://10.1.2.3/" + name}
}

func (s *scene) now() time.Time { return s.c.Clock.Now() }

func (s *scene) wait(d time.Duration) {
	mock, virtual := s.c.Clock.(*clock.Mock)
	switch {
	case s.c.Wait != nil:
		s.c.Wait(d)
	case virtual:
		mock.Add(d)
	default:
		s.c.Clock.Sleep(d)
	}
}

// eventually reports whether cond came true: within about ten seconds in real time, or half a long lease in virtual
// time. It does not move virtual time before every goroutine had its chance.
func (s *scene) eventually(cond func() bool) bool {
	step := 100 * time.Microsecond
	for i := range 1000 {
		if cond() {
			return true
		}
		switch {
		case i < 300:
			runtime.Gosched()
		case s.c.virtual():
			s.wait(s.long / 1400)
		default:
			s.wait(step)
			step = min(2*step, 20*time.Millisecond)
		}
	}
	return cond()
}

// grant takes the lease, which must be free.
func (s *scene) grant(m lease.Manager, key string, h lease.Holder, ttl time.Duration) lease.Lease {
	s.Helper()
	l, err := m.Acquire(s.Context(), key, h, ttl)
	if err != nil {
		s.Fatalf("Acquire(%q) by %s = %v; want a lease, because the key is free or held by that very holder",
			key, who(h), err)
	}
	s.sound(l, key, h)
	return l
}

// sound checks a lease that was granted.
func (s *scene) sound(l lease.Lease, key string, h lease.Holder) {
	s.Helper()
	if l.Key != key || l.Holder != h {
		s.Errorf("Acquire(%q) by %+v returned the lease %+v; want that key and that holder, metadata included", key, h, l)
	}
	if l.Term == 0 {
		s.Errorf("R4: Acquire(%q) returned term 0, which means never held; the first term is 1 or more", key)
	}
}

// refused fails unless h is refused the lease, and told of by.
func (s *scene) refused(m lease.Manager, h lease.Holder, by lease.Lease, why string) {
	s.Helper()
	got, err := m.Acquire(s.Context(), by.Key, h, s.ttl)
	if err == nil {
		s.Fatalf("Acquire(%q) by %s was granted term %d; want ErrHeld: %s, %s has it under term %d",
			by.Key, who(h), got.Term, why, who(by.Holder), by.Term)
	}
	if !errors.Is(err, lease.ErrHeld) {
		s.Fatalf("Acquire(%q) by %s = %v; want ErrHeld: %s", by.Key, who(h), err, why)
	}
	var held *lease.HeldError
	if !errors.As(err, &held) {
		s.Errorf("Acquire(%q) = %v (%T); want a *lease.HeldError, so that followers learn the leader", by.Key, err, err)
		return
	}
	if r := held.Record; r.Lease != by {
		s.Errorf("the refusal of %q tells of %+v; want %+v, the lease that is held", by.Key, r.Lease, by)
	}
	if r := held.Record.Remaining; r > longest(s.long) {
		s.Errorf("the refusal of %q says that %v remain; no lease here is longer than %v", by.Key, r, s.long)
	}
}

// longest is how long a lease of ttl may seem to be on another clock.
func longest(ttl time.Duration) time.Duration { return ttl + time.Duration(drift*float64(ttl)) }

// shortest is how long a lease of ttl may be on another clock.
func shortest(ttl time.Duration) time.Duration { return ttl - time.Duration(drift*float64(ttl)) }

// stalled reports whether a lease of ttl may have run out since, so that nothing can be concluded: the machine was
// too slow for the TTL.
func (s *scene) stalled(since time.Time, ttl time.Duration) bool {
	if s.now().Sub(since) < shortest(ttl) {
		return false
	}
	s.Logf("a whole lease of %v went by between two calls, on a busy machine; the law is not tested to the end", ttl)
	return true
}

// renewed fails unless l is renewed.
func (s *scene) renewed(m lease.Manager, l lease.Lease, ttl time.Duration, why string) {
	s.Helper()
	if err := m.Renew(s.Context(), l, ttl); err != nil {
		s.Fatalf("Renew(%s) = %v; want nil: %s", show(l), err, why)
	}
}

// released fails unless l is released.
func (s *scene) released(m lease.Manager, l lease.Lease) {
	s.Helper()
	if err := m.Release(s.Context(), l); err != nil {
		s.Fatalf("Release(%s) = %v; want nil: it is held", show(l), err)
	}
}

// notRenewed fails unless the renewal of l is refused.
func (s *scene) notRenewed(m lease.Manager, l lease.Lease, why string) {
	s.Helper()
	if err := m.Renew(s.Context(), l, s.long); !errors.Is(err, lease.ErrLost) {
		s.Errorf("R5: Renew(%s) = %v; want ErrLost: %s", show(l), err, why)
	}
}

// notReleased fails unless the release of l is refused.
func (s *scene) notReleased(m lease.Manager, l lease.Lease, why string) {
	s.Helper()
	if err := m.Release(s.Context(), l); !errors.Is(err, lease.ErrLost) {
		s.Errorf("R5: Release(%s) = %v; want ErrLost: %s", show(l), err, why)
	}
}

// takeover has h stand until it is granted a long lease on key, which was last prolonged for ttl at the instant since.
// Whoever stands looks at once and again and again, as a store without a clock of its own demands. A grant before the
// lease has run out is a fault, and so is none long after.
func (s *scene) takeover(m lease.Manager, key string, h lease.Holder, since time.Time, ttl time.Duration) lease.Lease {
	s.Helper()
	for waited := time.Duration(0); ; {
		l, err := m.Acquire(s.Context(), key, h, s.long)
		elapsed := s.now().Sub(since)
		switch {
		case err == nil:
			s.sound(l, key, h)
			if elapsed < shortest(ttl) {
				s.Errorf("R1: %q was given to %s %v after it had been granted for %v; want ErrHeld until then",
					key, who(h), elapsed, ttl)
			}
			return l
		case !errors.Is(err, lease.ErrHeld):
			s.Fatalf("Acquire(%q) by %s = %v; want a lease or ErrHeld", key, who(h), err)
		case waited > longest(ttl)+s.late:
			s.Fatalf("%q is still refused %v after a lease of %v was last renewed; want it free: %v", key, elapsed, ttl, err)
		}
		s.wait(ttl / 8)
		waited += ttl / 8
	}
}

// rising fails unless next is greater than last.
func (s *scene) rising(path string, last, next lease.Term) {
	s.Helper()
	if next <= last {
		s.Errorf("R4: %s: term %d after %d; want a greater one, because a resource refuses smaller terms", path, next, last)
	}
}

// together runs n functions at once and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// side returns one client or the other.
func (s *scene) side(i int) lease.Manager {
	if i%2 == 0 {
		return s.a
	}
	return s.b
}

func who(h lease.Holder) string { return fmt.Sprintf("%s (incarnation %.6s)", h, h.Incarnation) }

func show(l lease.Lease) string {
	return fmt.Sprintf("%q, %s, term %d", l.Key, who(l.Holder), l.Term)
}
