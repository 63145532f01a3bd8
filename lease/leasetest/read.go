package leasetest

import "github.com/go-tenure/tenure/lease"

func reads(s *scene) {
	if _, ok := s.a.(lease.Reader); !ok {
		s.Logf("%T is no lease.Reader", s.a)
		return
	}
	key := s.key()
	if r := s.read(s.a, key); !r.Holder.IsZero() || r.Term != 0 || !r.Vacant() {
		s.Errorf("Read(%q) = %+v; want nobody and term 0: it was never held", key, r)
	}
	l := s.grant(s.a, key, s.holder("holder"), s.long)
	sent := s.now()
	s.renewed(s.a, l, s.ttl, "it has just been granted")
	for i := range 2 {
		if r := s.read(s.side(i), key); s.now().Sub(sent) < shortest(s.ttl) && (r.Lease != l || r.Vacant()) {
			s.Errorf("Read(%q) = %+v; want %+v: it is held", key, r, l)
		} else if r.Remaining > longest(s.ttl) {
			s.Errorf("Read(%q) says that %v remain; the lease was renewed for %v", key, r.Remaining, s.ttl)
		}
	}
	s.wait(longest(s.ttl) + s.late)
	if r := s.read(s.b, key); r.Remaining > 0 && !r.Holder.IsZero() {
		s.Errorf("Read(%q) = %+v; want nothing remaining, or less than zero for unknown: a lease of %v was read before and "+
			"has not been renewed since", key, r, s.ttl)
	}
	next := s.takeover(s.a, key, s.holder("other"), sent, s.ttl)
	s.renewed(s.a, next, s.long, "it has just been granted")
	s.released(s.a, next)
	if r := s.read(s.b, key); !r.Vacant() || r.Term != next.Term && r.Term != 0 {
		s.Errorf("Read(%q) = %+v; want a vacant record of term %d: it was released", key, r, next.Term)
	}
}

func (s *scene) read(m lease.Manager, key string) lease.Record {
	s.Helper()
	r, err := m.(lease.Reader).Read(s.Context(), key)
	if err != nil {
		s.Fatalf("Read(%q) = %v; want a record, also of a key that was never held", key, err)
	}
	if r.Key != key {
		s.Errorf("Read(%q) is of the key %q", key, r.Key)
	}
	return r
}
