package fsm

import (
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Packed is a Machine as seen from one moment, in 16 bytes, for those who explore all that can be reached. Two machines
// with the same Packed have the same future, apart from the growth of back-offs, which is left out.
type Packed [2]uint64

// Pack returns m as seen from now, in units of tick. What can make no difference any more is forgotten: instants that
// have passed or that will be set before they are read, the numbers of calls, and terms but for their order, which rank
// gives as small numbers (0 for 0). The timing must be in whole ticks, less than 100 of them, without jitter.
func (m Machine) Pack(now Instant, tick time.Duration, rank func(lease.Term) uint8) Packed {
	leading, leaving, awaits := m.state == Leader, m.state == Releasing, m.awaits != NoCall
	at := func(matters bool, i Instant, past time.Duration) uint64 {
		if !matters {
			return 0
		}
		d := max(i.Sub(now), -past)
		if off := d % tick; off > 0 { // nothing happens between ticks
			d += tick - off
		}
		return uint64(uint8(int8(d/tick))) + 1<<8 // told apart from one that does not matter
	}
	a := at(leading || leaving && (m.working || m.awaits == Renew), m.until, 0)
	a |= at(!awaits && m.Wake() != Never && !(leaving && m.working && !m.renewing), m.next, 0) << 9
	a |= at(awaits, m.sent, m.timing.TTL) << 18
	a |= at(leaving, m.by, 0) << 27
	a |= uint64(rank(m.term)) << 36
	a |= uint64(m.state)<<44 | uint64(m.awaits)<<46
	left := m.left
	holdBack := m.holdBack && m.state == Follower && m.Wake() != Never && (m.next > now || m.left == HandedOver)
	if !leaving && (m.left != HandedOver || !holdBack) {
		left = None
	}
	a |= uint64(left) << 48
	b := uint64(0)
	for i, flag := range [...]bool{
		m.working, m.renewing && leaving && m.working, m.gone && leaving, m.doubt, m.overran && leaving && m.working,
		holdBack, m.paused, m.stopped, m.failed && leaving && !m.working && m.left == Finished, m.tries > 0,
	} {
		if flag {
			b |= 1 << i
		}
	}
	return Packed{a, b}
}

// Unpack returns the machine that p stands for, with instant 0 for the moment of packing, ranks for terms, and 1 for
// the number of the awaited call.
func (p Packed) Unpack(t *Timing, tick time.Duration) Machine {
	at := func(shift int) Instant {
		if p[0]>>shift&(1<<8) == 0 {
			return 0
		}
		return Instant(int64(int8(p[0]>>shift)) * int64(tick))
	}
	flag := func(i int) bool { return p[1]>>i&1 != 0 }
	m := Machine{
		timing: t, until: at(0), next: at(9), sent: at(18), by: at(27), term: lease.Term(uint8(p[0] >> 36)),
		state: State(p[0] >> 44 & 3), awaits: Op(p[0] >> 46 & 3), left: Reason(p[0] >> 48 & 31),
		working: flag(0), renewing: flag(1), gone: flag(2), doubt: flag(3), overran: flag(4), holdBack: flag(5),
		paused: flag(6), stopped: flag(7), failed: flag(8),
	}
	if flag(9) {
		m.tries = 1
	}
	if m.failed {
		m.failures = 1
	}
	if m.awaits != NoCall {
		m.calls = 1
	}
	return m
}
