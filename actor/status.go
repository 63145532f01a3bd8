package actor

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Status is how an election stands on this node.
type Status struct {
	Key   string
	State fsm.State
	// Leading is State == Leader and time left. It may be false a moment before the state changes.
	Leading bool
	Paused  bool
	Overrun bool // the work of the latest tenure did not, or has not, returned in time
	Reason  fsm.Reason
	// Term is the term of the lease in Leader and Releasing, and otherwise the greatest heard of.
	Term lease.Term
	// Leader is who leads as far as this node knows; zero if nobody or not known.
	Leader lease.Holder
	// Remaining is for how much longer this node may act under its lease if it is not renewed; 0 if it has none.
	Remaining time.Duration
	// Since is the wall-clock time of the latest change, for people; zero before the first.
	Since time.Time
	// Err is the latest error of the store; nil after a call that got a usable answer.
	Err error
}

// status is the Status of an election, written by the actor and read by anybody without a lock: a sequence lock, whose
// reader tries again if the version was odd or has changed (Lameter, "Effective synchronization on Linux/NUMA
// systems", 2005).
type status struct {
	version atomic.Uint32
	flags   atomic.Uint32 // state, reason, paused, overran: a byte each
	seq     atomic.Uint64 // of the latest event
	term    atomic.Uint64
	at      atomic.Int64 // of the latest move, ns since 1970
	until   atomic.Int64 // an Instant, written by each renewal too
	leader  atomic.Pointer[lease.Holder]
	err     atomic.Pointer[error]
}

func (s *status) write(m *fsm.Machine, seq uint64, at int64, leader *lease.Holder) {
	flags := uint32(m.State()) | uint32(m.Reason())<<8
	if m.Paused() {
		flags |= 1 << 16
	}
	if m.Overran() && m.State() == fsm.Releasing {
		flags |= 1 << 24
	}
	s.version.Add(1)
	s.until.Store(int64(m.Until()))
	s.flags.Store(flags)
	s.term.Store(uint64(m.Term()))
	s.seq.Store(seq)
	s.at.Store(at)
	s.leader.Store(leader)
	s.version.Add(1)
}

// setErr takes note of the store's latest error, or that there is none.
func (s *status) setErr(err error) {
	if err != nil {
		s.err.Store(&err)
	} else if s.err.Load() != nil {
		s.err.Store(nil)
	}
}

func (s *status) lastErr() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *status) read() (st Status, seq uint64, until fsm.Instant) {
	for {
		v := s.version.Load()
		if v%2 == 0 {
			flags := s.flags.Load()
			st = Status{
				State: fsm.State(flags & 0xff), Reason: fsm.Reason(flags >> 8 & 0xff),
				Paused: flags>>16&1 != 0, Overrun: flags>>24&1 != 0,
				Term: lease.Term(s.term.Load()), Err: s.lastErr(),
			}
			if at := s.at.Load(); at != 0 {
				st.Since = time.Unix(0, at)
			}
			if l := s.leader.Load(); l != nil {
				st.Leader = *l
			}
			seq, until = s.seq.Load(), fsm.Instant(s.until.Load())
			if s.version.Load() == v {
				return st, seq, until
			}
		}
		runtime.Gosched()
	}
}

// Status returns how the election stands at this moment. It waits for nobody.
func (c *Campaign) Status() Status {
	st, _, until := c.status.read()
	st.Key = c.key
	if st.State >= fsm.Leader {
		st.Remaining = max(0, until.Sub(c.node.clock.now()))
	}
	st.Leading = st.State == fsm.Leader && st.Remaining > 0
	return st
}

// present is the Status as the first event of a subscription.
func (c *Campaign) present() events.Transition {
	st, seq, _ := c.status.read()
	return events.Transition{
		Seq: seq, Node: c.node.config.Name, Key: c.key, From: st.State, To: st.State, Reason: st.Reason, Term: st.Term,
		Leader: st.Leader, At: st.Since, Err: st.Err, Snapshot: true,
	}
}
