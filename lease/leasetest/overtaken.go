package leasetest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// overtakenAcquires has a holder give up requests for a short lease, each after a little longer, and ask for a long one
// instead, as a node does whose lengths change. Some of what was given up is under way then, and arrives last. The
// holder counts what it was answered.
func overtakenAcquires(s *scene) {
	if s.long < 2*longest(s.ttl) {
		return
	}
	const requests = 24
	h, other := s.holder("holder"), s.holder("other")
	var held []lease.Lease
	begun := s.now()
	for i := range requests {
		key := s.key()
		s.giveUp(key, h, 1<<(i/2)-1)
		l := s.persist(key, h)
		held = append(held, l)
		s.kept(l, other, begun) // a store without a clock counts from the first look
	}
	s.wait(longest(s.ttl) + s.ttl/4)
	for _, l := range held {
		s.kept(l, other, begun)
	}
}

// giveUp asks for a short lease and gives up when others have had so many turns. With none, it has given up before.
func (s *scene) giveUp(key string, h lease.Holder, turns int) {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	if turns == 0 {
		cancel()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.a.Acquire(ctx, key, h, s.ttl) // whatever comes of it
	}()
	for range turns {
		runtime.Gosched()
	}
	cancel()
	<-done
}

// persist asks for a long lease until there is an answer.
func (s *scene) persist(key string, h lease.Holder) lease.Lease {
	s.Helper()
	for try := 0; ; try++ {
		l, err := s.a.Acquire(s.Context(), key, h, s.long)
		_, refusal := lease.Refusal(err)
		switch {
		case err == nil:
			s.sound(l, key, h)
			return l
		case refusal || try == 100:
			s.Fatalf("Acquire(%q) by %s after one that was given up = %v; want a lease, because nobody else has stood", key,
				who(h), err)
		}
		runtime.Gosched()
	}
}

// kept fails if the lease on l's key is given to another, though its holder was granted it for long since begun. That
// it has another term by then is no fault: the holder learns of it when it renews.
func (s *scene) kept(l lease.Lease, other lease.Holder, begun time.Time) {
	s.Helper()
	_, err := s.b.Acquire(s.Context(), l.Key, other, s.ttl)
	if !errors.Is(err, lease.ErrHeld) && !s.stalled(begun, s.long) {
		s.Fatalf("R1: Acquire(%q) by %s = %v, %v after %s was granted it for %v; want ErrHeld: an older request for %v that "+
			"was given up and came late must not end it early",
			l.Key, who(other), err, s.now().Sub(begun), who(l.Holder), s.long, s.ttl)
	}
}
