package leasetest

import (
	"errors"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// renewalCounts renews for more and for less than the lease was granted for: what counts is the renewal.
func renewalCounts(s *scene) {
	if s.limits.Check(2*s.ttl) == nil {
		s.longerRenewal()
	}
	if s.long > s.ttl {
		l := s.grant(s.a, s.key(), s.holder("shorter"), s.long)
		sent := s.now()
		s.renewed(s.a, l, s.ttl, "it has just been granted")
		s.takeover(s.b, l.Key, s.holder("other"), sent, s.ttl)
	}
}

func (s *scene) longerRenewal() {
	begun := s.now()
	l := s.grant(s.a, s.key(), s.holder("longer"), s.ttl)
	other, sent := s.holder("other"), s.now()
	renewal := s.a.Renew(s.Context(), l, 2*s.ttl)
	if s.stalled(begun, s.ttl) {
		return
	}
	if renewal != nil {
		s.Fatalf("Renew(%s) = %v; want nil: it has just been granted", show(l), renewal)
	}
	for _, d := range []time.Duration{0, s.ttl + s.ttl/2} { // a store without a clock counts from the first look
		s.wait(d)
		_, err := s.b.Acquire(s.Context(), l.Key, other, s.ttl)
		if s.stalled(sent, 2*s.ttl) {
			return
		}
		if !errors.Is(err, lease.ErrHeld) {
			s.Fatalf("R1: Acquire(%q) = %v, %v after a renewal for %v; want ErrHeld: a renewal lasts as long as it asks for",
				l.Key, err, s.now().Sub(sent), 2*s.ttl)
		}
	}
}

func declaredLimits(s *scene) {
	step := max(s.limits.Step, 1)
	try := func(what string, key string, ttl time.Duration, allowed bool) {
		s.Helper()
		h := s.holder("holder")
		l, err := s.a.Acquire(s.Context(), key, h, ttl)
		_, refusal := lease.Refusal(err)
		switch {
		case allowed && err != nil:
			s.Errorf("Acquire(%q) for %v = %v; want a lease: %s is within the declared %+v", key, ttl, err, what, s.limits)
		case allowed:
			s.released(s.a, l)
		case err == nil:
			s.Errorf("Acquire(%q) for %v was granted; want an error: %s is outside the declared %+v", key, ttl, what, s.limits)
		case refusal:
			s.Errorf("Acquire(%q) for %v = %v; want an error that is no refusal: %s is outside the declared %+v",
				key, ttl, err, what, s.limits)
		}
	}
	if least := s.limits.MinTTL; least > 0 {
		try("the least TTL", s.key(), least, true)
		if least > step {
			try("a TTL below the least", s.key(), least-step, false)
		}
	}
	if most := s.limits.MaxTTL; most > 0 {
		try("the longest TTL", s.key(), most, true)
		try("a TTL above the longest", s.key(), most+step, false)
	}
	if step > 1 {
		try("a TTL off the unit", s.key(), s.ttl+step/2, false)
	}
	key := s.key()
	longest := lease.MaxKey
	if most := s.limits.MaxKey; most > 0 {
		longest = min(longest, most)
	}
	key += strings.Repeat("k", longest-len(key))
	try("the longest key", key, s.ttl, true)
	if longest < lease.MaxKey {
		try("a key longer than the longest", key+"k", s.ttl, false)
	}
	if least := s.limits.MinTTL; least > step {
		l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
		err := s.a.Renew(s.Context(), l, least-step)
		if _, refusal := lease.Refusal(err); err == nil || refusal {
			s.Errorf("Renew(%s) for %v = %v; want an error that is no refusal: it is below the declared %+v",
				show(l), least-step, err, s.limits)
		}
		s.refused(s.b, s.holder("other"), l, "the renewal outside the limits changed nothing")
	}
}
