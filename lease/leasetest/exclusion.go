package leasetest

import (
	"errors"
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func grantedAsAsked(s *scene) {
	key := s.key()
	l := s.grant(s.a, key, s.holder("first"), s.long)
	s.renewed(s.a, l, s.long, "it has just been granted")
	s.renewed(s.b, l, s.long, "any client of the store may carry a holder's request")
	s.released(s.a, l)
	l = s.grant(s.b, key, s.holder("second"), s.long)
	s.released(s.b, l)
}

func refusedToOthers(s *scene) {
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	for i := range 4 {
		s.refused(s.side(i), s.holder("other"), l, "the lease is live")
	}
	s.renewed(s.a, l, s.long, "refusals of others do not touch the lease")
	for i := range 2 {
		s.refused(s.side(i), s.holder("other"), l, "the lease is live")
	}
}

func renewalKeepsOthersOut(s *scene) {
	sent := s.now()
	l := s.grant(s.a, s.key(), s.holder("holder"), s.ttl)
	other := s.holder("other")
	for range 8 { // two lease lengths
		s.wait(s.ttl / 4)
		again := s.now()
		renewal := s.a.Renew(s.Context(), l, s.ttl)
		if s.stalled(sent, s.ttl) {
			return
		}
		sent = again
		_, err := s.b.Acquire(s.Context(), l.Key, other, s.ttl)
		if s.stalled(sent, s.ttl) {
			return
		}
		if renewal != nil || !errors.Is(err, lease.ErrHeld) {
			s.Fatalf("Renew(%s) in time = %v, then Acquire by another = %v; want nil and ErrHeld", show(l), renewal, err)
		}
	}
}

func expiryFrees(s *scene) {
	key, first, second := s.key(), s.holder("first"), s.holder("second")
	sent := s.now()
	l := s.grant(s.a, key, first, s.ttl)
	l2 := s.takeover(s.b, key, second, sent, s.ttl)
	s.rising("taken over after running out", l.Term, l2.Term)
	s.renewed(s.b, l2, s.long, "it has just been granted")
	s.notRenewed(s.a, l, "the lease ran out and was taken over")
	s.notReleased(s.a, l, "the lease ran out and was taken over")
	s.refused(s.a, first, l2, "the successor holds the lease")
}

// oneTakesOver lets leases run out while many look on, who then all stand at once.
func oneTakesOver(s *scene) {
	const many = 8
	for range 3 {
		key := s.key()
		standing := make([]lease.Holder, many)
		for i := range standing {
			standing[i] = s.holder("standing")
		}
		last := s.grant(s.a, key, s.holder("gone"), s.ttl).Term
		var won []lease.Lease
		for waited := time.Duration(0); len(won) == 0; waited += s.ttl / 8 {
			if waited > longest(s.ttl)+s.late {
				s.Fatalf("nobody of %d was granted the lease on %q, %v after it was granted for %v", many, key, waited, s.ttl)
			}
			s.wait(s.ttl / 8)
			begun := s.now()
			won = s.stand(key, standing)
			if s.stalled(begun, s.long) {
				return
			}
		}
		if len(won) > 1 {
			s.Fatalf("%d of %d who stood at once for %q, which had run out, were granted it: %+v; want one",
				len(won), many, key, won)
		}
		s.rising("taken over by one of many", last, won[0].Term)
		s.refused(s.a, s.holder("other"), won[0], "it has just been taken over")
	}
}

// stand has all of them ask at once and returns what was granted.
func (s *scene) stand(key string, standing []lease.Holder) []lease.Lease {
	var mu sync.Mutex
	var won []lease.Lease
	together(len(standing), func(i int) {
		if l, err := s.side(i).Acquire(s.Context(), key, standing[i], s.long); err == nil {
			mu.Lock()
			defer mu.Unlock()
			won = append(won, l)
		}
	})
	return won
}
