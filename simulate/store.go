package simulate

import (
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// record is what the store keeps of the one key that is competed for.
type record struct {
	holder  uint8  // number of the node + 1; 0: nobody
	inc     uint32 // its incarnation
	term    uint64 // the last one granted
	expires int64  // by the store's clock
}

// store is a model of a store that lets leases run out by its own clock: what lease/memory, Redis, etcd or a database
// do, reduced to what an election can see.
type store struct {
	record
	book     book  // of a store of the kind Register
	rate     int64 // parts per million that its clock is fast
	past     [8]record
	writes   int
	down     int
	refusing int
	stalled  int
	deaf     int
	echo     int
	stale    int
	sluggish int64
	waiting  []item // requests that came while it was stalled
}

// clock is the store's clock at true time now.
func (s *store) clock(now int64) int64 { return now + now*s.rate/1e6 }

func (s *store) live(now int64) bool { return s.holder != 0 && s.clock(now) < s.expires }

// write keeps r, and what it replaces in case the store forgets.
func (s *store) write(r record) {
	s.past[s.writes%len(s.past)] = s.record
	s.writes++
	s.record = r
}

// forget undoes the latest n writes.
func (s *store) forget(n int) {
	for range min(n, s.writes, len(s.past)) {
		s.writes--
		s.record = s.past[s.writes%len(s.past)]
	}
}

// carryOut does one request, atomically, and returns the answer.
func (s *store) carryOut(now int64, it item, ttl time.Duration) (kind fsm.Kind, term uint64) {
	ours := s.holder == it.node+1 && s.inc == it.inc
	clock := s.clock(now)
	switch it.op {
	case fsm.Acquire:
		if s.live(now) && !ours {
			return fsm.Refused, s.term
		}
		s.write(record{holder: it.node + 1, inc: it.inc, term: s.term + 1, expires: clock + int64(ttl)})
		return fsm.Granted, s.term
	case fsm.Renew:
		if !ours || s.term != it.term || !s.live(now) {
			return fsm.Refused, s.term
		}
		r := s.record
		r.expires = max(r.expires, clock+int64(ttl))
		s.write(r)
	default:
		if !ours || s.term != it.term {
			return fsm.Refused, s.term
		}
		s.write(record{term: s.term, expires: clock})
	}
	return fsm.Granted, s.term
}
