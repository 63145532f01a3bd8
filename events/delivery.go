package events

import "context"

// begin sets the snapshot that comes before everything else.
func (s *Subscription) begin(snap []*Transition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snap = snap
}

// follow ends s when ctx ends.
func (s *Subscription) follow(ctx context.Context) {
	unhook := context.AfterFunc(ctx, func() { s.finish(context.Cause(ctx), false) })
	s.mu.Lock()
	s.unhook = unhook
	over := s.discarded
	s.mu.Unlock()
	if over {
		unhook()
	}
}

// offer queues e as the policy says, after skipped events that were lost. It reports false if that ends s.
func (s *Subscription) offer(e *Transition, skipped uint64) bool {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return true // on its way out
	}
	s.count += skipped + 1
	if s.policy == Disconnect && (skipped > 0 || s.wait.n == s.limit) {
		s.end(ErrSlow)
		s.mu.Unlock()
		return false
	}
	switch s.policy {
	case DropOldest:
		if s.wait.n == s.limit {
			s.wait.remove(s.wait.first)
		}
	case Latest:
		if old := s.waiting(e.Key); old != nil {
			s.wait.remove(old)
		}
	}
	i := s.wait.push(e, s.count)
	if s.newest != nil {
		s.newest[e.Key] = i
	}
	s.mu.Unlock()
	s.notify()
	return true
}

// waiting returns the event of key that waits, if one does. Only for the policy Latest.
func (s *Subscription) waiting(key string) *item {
	if s.newest != nil {
		return s.newest[key]
	}
	return s.wait.first
}

// catchUp queues the states now, which stand for the lost events after from up to to. It reports false if that ends
// s.
func (s *Subscription) catchUp(now []*Transition, from, to uint64) bool {
	from = max(from, s.after)
	for _, e := range now {
		if e.Seq <= from || e.Seq > to {
			continue
		}
		if !s.offer(e, e.Seq-from-1) {
			return false
		}
		from = e.Seq
	}
	if from >= to || s.key != "" && len(now) > 0 && now[0].Seq <= to {
		return true
	}
	return s.lose(to - from)
}

// lose counts n events as lost before the next one. It reports false if that ends s.
func (s *Subscription) lose(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return true
	}
	s.count += n
	if s.policy == Disconnect {
		s.end(ErrSlow)
		return false
	}
	return true
}

// peek returns the next event, with its losses counted, and its ord, which is zero in the snapshot.
func (s *Subscription) peek() (t Transition, ord uint64, ok bool) {
	if len(s.snap) > 0 {
		return *s.snap[0], 0, true
	}
	i := s.wait.first
	if i == nil {
		return Transition{}, 0, false
	}
	t = *i.t
	t.Missed = i.ord - s.took - 1
	return t, i.ord, true
}

// take removes the event that peek returned. The policy may have removed it meanwhile; it was delivered all the
// same.
func (s *Subscription) take(ord uint64) {
	if s.discarded {
		return
	}
	if ord == 0 {
		s.snap[0] = nil
		if s.snap = s.snap[1:]; len(s.snap) == 0 {
			s.snap = nil
		}
		return
	}
	s.took = ord
	s.got++
	if i := s.wait.first; i != nil && i.ord == ord {
		if s.newest != nil {
			delete(s.newest, i.t.Key)
		}
		s.wait.remove(i)
	}
}

func (s *Subscription) pending() bool { return len(s.snap) > 0 || s.wait.n > 0 }

// poll takes an event if one waits. The error, if there is one, is the end. If a channel has been handed out, it is
// the only way to events, and is returned.
func (s *Subscription) poll() (t Transition, ok bool, stream <-chan Transition, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		s.notify() // the caller may have taken the signal that was meant for the pump
		return t, false, s.stream, nil
	}
	t, ord, ok := s.peek()
	if !ok {
		s.over()
		return t, false, nil, s.err
	}
	s.take(ord)
	if s.pending() {
		s.notify() // another reader may be waiting
	}
	return t, true, nil, nil
}

// over reports whether s, of which nothing waits, has ended, and then lets go of the context. The caller holds s.mu.
func (s *Subscription) over() bool {
	if s.err == nil {
		return false
	}
	if s.unhook != nil {
		s.unhook()
	}
	return true
}

// notify never blocks: one signal is enough for any number of events.
func (s *Subscription) notify() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// pump feeds the channel. While it waits for the receiver it keeps looking at the queue, so that what is received
// is the oldest event that the policy has kept until then.
func (s *Subscription) pump(stream chan<- Transition, drained chan<- struct{}) {
	defer close(drained)
	defer close(stream)
	for {
		s.mu.Lock()
		t, ord, ok := s.peek()
		over := !ok && s.over()
		s.mu.Unlock()
		switch {
		case ok:
			select {
			case stream <- t:
				s.mu.Lock()
				s.take(ord)
				s.mu.Unlock()
			case <-s.signal:
			case <-s.closed:
				return
			}
		case over:
			return
		default:
			select {
			case <-s.signal:
			case <-s.ended:
			}
		}
	}
}

// end lets nothing more in. The caller holds s.mu.
func (s *Subscription) end(why error) {
	if s.err == nil {
		s.err = why
		close(s.ended)
	}
}

// finish ends s for the reason why, unless it has ended already. What waits may still be taken only if deliver is
// set.
func (s *Subscription) finish(why error, deliver bool) {
	s.mu.Lock()
	s.end(why)
	if !deliver && !s.discarded {
		s.discarded = true
		s.left = uint64(s.wait.n)
		s.snap, s.wait, s.newest = nil, queue{}, nil
		close(s.closed)
		if s.unhook != nil {
			s.unhook()
		}
	}
	s.mu.Unlock()
	s.hub.detach(s)
}
