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
				_ = s.side(i).Renew(s.Context(), l, s.long) // it may come before or after the release
			}
		})
		done, refused := 0, 0
		for _, err := range ends {
			switch {
			case err == nil:
				done++
			case errors.Is(err, lease.ErrLost):
				refused++
			}
		}
		if done == 0 && refused == releases {
			s.Fatalf("all %d Releases of %s were refused: %v; want one carried out", releases, show(l), ends)
		}
		if done == 0 {
			_ = s.a.Release(s.Context(), l) // outcomes are unknown, so settle them
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
		if l, err := s.b.Acquire(s.Context(), key, h, s.long); err == nil {
			return l
		}
		runtime.Gosched()
	}
	return lease.Lease{}
}
