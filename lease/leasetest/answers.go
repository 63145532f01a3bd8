package leasetest

import (
	"context"
	"errors"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func endedContext(s *scene) {
	cancelled, cancel := context.WithCancel(s.Context())
	cancel()
	past, cancel := context.WithDeadline(s.Context(), time.Unix(0, 0))
	defer cancel()
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	for _, c := range []struct {
		ctx  context.Context
		want error
	}{{cancelled, context.Canceled}, {past, context.DeadlineExceeded}} {
		check := func(call string, err error) {
			s.Helper()
			if _, refusal := lease.Refusal(err); refusal || !errors.Is(err, c.want) {
				s.Errorf("R7: %s with an ended context = %v; want an error that is %q and no refusal, because no answer is "+
					"neither yes nor no", call, err, c.want)
			}
		}
		_, err := s.a.Acquire(c.ctx, s.key(), s.holder("other"), s.long)
		check("Acquire of a free key", err)
		_, err = s.a.Acquire(c.ctx, l.Key, s.holder("other"), s.long)
		check("Acquire of a held key", err)
		check("Renew", s.a.Renew(c.ctx, l, s.long))
		wrong := l
		wrong.Term++
		check("Renew of a lease that is not held", s.a.Renew(c.ctx, wrong, s.long))
		check("Release of a lease that is not held", s.a.Release(c.ctx, wrong))
		if r, ok := s.a.(lease.Reader); ok {
			_, err := r.Read(c.ctx, l.Key)
			check("Read", err)
		}
	}
	s.renewed(s.a, l, s.long, "calls with an ended context did not release it")
	check := s.a.Release(cancelled, l)
	if !errors.Is(check, context.Canceled) {
		s.Errorf("R7: Release with an ended context = %v; want an error that is %q", check, context.Canceled)
	}
	if err := s.a.Release(s.Context(), l); err != nil && !errors.Is(err, lease.ErrLost) {
		s.Errorf("Release after a Release with an ended context = %v; want nil or ErrLost", err)
	}
	s.grant(s.b, l.Key, s.holder("other"), s.long)
}

// lossy returns the first client without the answers to m; the requests are carried out.
func (s *scene) lossy(m Method) *Faulty {
	return &Faulty{Manager: s.a, Plan: Script(Step{Method: m, Fault: Fault{Kind: ErrorAfter}})}
}

func lostAnswers(s *scene) {
	h, other := s.holder("holder"), s.holder("other")

	key := s.key()
	if _, err := s.lossy(Acquire).Acquire(s.Context(), key, h, s.long); !errors.Is(err, ErrInjected) {
		s.Fatalf("a lost answer = %v; want %v", err, ErrInjected)
	}
	l := s.grant(s.a, key, h, s.long) // the holder asks again, not knowing whether it has the lease
	if l.Term < 2 {
		s.Errorf("R4: after an Acquire whose answer was lost, the same holder was granted term %d; want 2 or more, "+
			"because the first Acquire had a term, too", l.Term)
	}
	s.refused(s.b, other, l, "the holder has it, whatever answers were lost")

	if err := s.lossy(Renew).Renew(s.Context(), l, s.long); !errors.Is(err, ErrInjected) {
		s.Fatalf("a lost answer = %v; want %v", err, ErrInjected)
	}
	s.renewed(s.a, l, s.long, "a renewal may be repeated")
	s.refused(s.b, other, l, "it is renewed, whatever answers were lost")

	if err := s.lossy(Release).Release(s.Context(), l); !errors.Is(err, ErrInjected) {
		s.Fatalf("a lost answer = %v; want %v", err, ErrInjected)
	}
	next := s.grant(s.b, key, other, s.long)
	s.rising("released with the answer lost, then taken", l.Term, next.Term)
	if err := s.a.Release(s.Context(), l); err != nil && !errors.Is(err, lease.ErrLost) {
		s.Errorf("Release(%s) once more = %v; want nil or ErrLost", show(l), err)
	}
	s.renewed(s.b, next, s.long, "R5: the repeated Release was of an older term")
}

// lateRequests has the requests of an earlier tenure arrive when a later one has begun, of another and of the same
// holder.
func lateRequests(s *scene) {
	h := s.holder("holder")
	for _, next := range []lease.Holder{s.holder("other"), h} {
		l := s.grant(s.a, s.key(), h, s.long)
		late := Script(Step{Fault: Fault{Kind: LateRequest, Delay: time.Hour}})
		f := &Faulty{Manager: s.a, Clock: s.c.Clock, Plan: late}
		s.Cleanup(f.Heal)
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		renew, release := f.Renew(ctx, l, s.long), f.Release(ctx, l) // on their way
		for _, err := range []error{renew, release} {
			if !errors.Is(err, context.Canceled) {
				s.Fatalf("a late request = %v; want %v", err, context.Canceled)
			}
		}
		s.released(s.a, l)
		l2 := s.grant(s.b, l.Key, next, s.long)
		f.Heal() // they arrive
		s.renewed(s.b, l2, s.long, "R5: a delayed request of an older term changes nothing")
		s.refused(s.a, s.holder("third"), l2, "R5: a delayed request of an older term changes nothing")
	}
}
