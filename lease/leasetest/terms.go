package leasetest

func termsRise(s *scene) {
	key, x, y := s.key(), s.holder("x"), s.holder("y")
	l := s.grant(s.a, key, x, s.long)
	step := func(path string, i int, again bool) {
		s.Helper()
		h := y
		if again {
			h = l.Holder
		} else if l.Holder == y {
			h = x
		}
		next := s.grant(s.side(i), key, h, s.long)
		s.rising(path, l.Term, next.Term)
		if l.Holder == next.Holder {
			s.notRenewed(s.side(i), l, "its holder has taken the lease again, under a greater term")
		}
		l = next
	}
	step("taken again by the holder", 0, true)
	step("taken again by the holder through another client", 1, true)
	s.released(s.a, l)
	step("released, then taken by another", 1, false)
	s.released(s.b, l)
	step("released, then taken by the same", 0, true)
	for i := range 6 {
		s.released(s.side(i), l)
		step("released and taken in turns", i, i%3 == 0)
	}
	for _, again := range []bool{true, false} {
		sent := s.now()
		s.renewed(s.a, l, s.ttl, "it is held")
		h := l.Holder
		if !again {
			h = s.holder("z")
		}
		if again { // the holder may take its own lease at any time, so wait until it has run out
			s.wait(longest(s.ttl) + s.late)
			sent = sent.Add(-s.ttl)
		}
		next := s.takeover(s.b, key, h, sent, s.ttl)
		s.rising("ran out, then taken", l.Term, next.Term)
		l = next
	}
}

func renewalKeepsTerm(s *scene) {
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	for range 5 {
		s.renewed(s.a, l, s.long, "it has been renewed all the time")
		s.refused(s.b, s.holder("other"), l, "renewal keeps holder and term")
	}
	s.released(s.a, l)
}

func survivesRestart(s *scene) {
	if s.c.Reopen == nil {
		s.Logf("Config.Reopen is not set")
		return
	}
	key := s.key()
	l := s.grant(s.a, key, s.holder("holder"), s.long)
	m := s.c.Reopen(s, s.a)
	s.refused(m, s.holder("other"), l, "the lease was held when the store was restarted")
	s.renewed(m, l, s.long, "the lease was held when the store was restarted")
	s.released(m, l)
	m = s.c.Reopen(s, m)
	next := s.grant(m, key, s.holder("other"), s.long)
	s.rising("released, store restarted, taken", l.Term, next.Term)
}

func survivesErasure(s *scene) {
	if s.c.Erase == nil {
		s.Logf("Config.Erase is not set")
		return
	}
	key := s.key()
	l := s.grant(s.a, key, s.holder("holder"), s.ttl)
	sent := s.now()
	s.c.Erase(s, s.a, key)
	if err := s.a.Renew(s.Context(), l, s.ttl); err == nil {
		s.Errorf("R3: Renew(%s) = nil after its record was deleted; want ErrLost: a lease is never silently taken back",
			show(l))
	}
	next := s.takeover(s.b, key, s.holder("other"), sent.Add(-s.ttl), s.ttl)
	s.rising("record deleted, then taken", l.Term, next.Term)
}
