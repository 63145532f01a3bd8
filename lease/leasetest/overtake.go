package leasetest

import (
	"errors"
	"runtime"

	"github.com/go-tenure/tenure/lease"
)

// overtaking has several requests for one lease under way at once, as after timeouts and retries, while another holder
// waits for it: however they overtake each other, the successor's lease stays whole. A store that first reads and then
// writes fails here.
func overtaking(s *scene) {
	const releases, renewals = 4, 2
	for range 20 {
		l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
		other := s.holder("other")
		var next lease.Lease
		var ends [releases]error
		together(1+releases+renewals, func(i int) {
			switch {
			case i == 0:
				next = s.insist(l.Key, other)
			case i <= releases:
				for range i * 3 {
					runtime.Gosched()
				}
				ends[i-1] = s.side(i).Release(s.Context(), l)
			default:
				if err := s.side(i).Renew(s.Context(), l, s.long); err != nil && !errors.Is(err, lease.ErrLost) {
					s.Errorf("Renew(%s) while it is released = %v; want nil or ErrLost", show(l), err)
				}
			}
		})
		done := 0
		for _, err := range ends {
			if err == nil {
				done++
			} else if !errors.Is(err, lease.ErrLost) {
				s.Errorf("Release(%s), one of %d at once = %v; want nil or ErrLost", show(l), releases, err)
			}
		}
		if done == 0 {
			s.Fatalf("none of %d Releases of %s was carried out: %v; want one", releases, show(l), ends)
		}
		if next.Term == 0 {
			next = s.grant(s.b, l.Key, other, s.long)
		}
		s.rising("released several times at once, then taken", l.Term, next.Term)
		s.renewed(s.b, next, s.long, "R5: what was under way was of an older term")
		s.refused(s.a, s.holder("third"), next, "R5: what was under way was of an older term")
		s.notRenewed(s.a, l, "it has been released, and another has the key")
	}
}

// insist stands again and again, a bounded number of times, and returns the lease if it was granted.
func (s *scene) insist(key string, h lease.Holder) lease.Lease {
	for range 100 {
		l, err := s.b.Acquire(s.Context(), key, h, s.long)
		if err == nil {
			return l
		}
		if !errors.Is(err, lease.ErrHeld) {
			s.Errorf("Acquire(%q) while it is released = %v; want a lease or ErrHeld", key, err)
			break
		}
		runtime.Gosched()
	}
	return lease.Lease{}
}
