package fsm

import (
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Packed is a Machine as seen from one moment, in 8 bytes, for those who explore all that can be reached. Two machines
// with the same Packed have the same future, apart from the growth of back-offs, which is left out.
type Packed uint64

// Where the parts of a Packed begin. An instant takes a byte and a bit that tells it from one that does not matter.
const (
	untilAt  = 0
	nextAt   = 9
	sentAt   = 18
	byAt     = 27
	termAt   = 36
	stateAt  = 44
	awaitsAt = 46
	leftAt   = 48
	flagsAt  = 53
)

// Pack returns m as seen from now, in units of tick. What can make no difference any more is forgotten: instants that
// have passed or that will be set before they are read, the numbers of calls, and which term it is: rank stands for it,
// a small number that is to those of other terms as they are to each other, 0 for 0. The timing must be in whole ticks,
// less than 100 of them, without jitter.
func (m Machine) Pack(now Instant, tick time.Duration, rank uint8) Packed {
	leading, leaving, awaits := m.state == Leader, m.state == Releasing, m.awaits != NoCall
	asleep := m.wake() == Never
	left := None
	holdBack := m.holdBack && m.state == Follower && !asleep && (m.next > now || m.left == HandedOver)
	if leaving || holdBack && m.left == HandedOver {
		left = m.left
	}
	p := Packed(rank)<<termAt | Packed(m.state)<<stateAt | Packed(m.awaits)<<awaitsAt | Packed(left)<<leftAt
	if leading || leaving && (m.working || m.awaits == Renew) {
		p |= packInstant(m.until, now, 0, tick) << untilAt
	}
	if !awaits && !asleep && !(leaving && m.working && !m.renewing) {
		p |= packInstant(m.next, now, 0, tick) << nextAt
	}
	if awaits {
		p |= packInstant(m.sent, now, m.timing.TTL, tick) << sentAt
	}
	if leaving {
		p |= packInstant(m.by, now, 0, tick) << byAt
	}
	for i, flag := range [...]bool{
		m.working, m.renewing && leaving && m.working, m.gone && leaving, m.doubt, m.overran && leaving && m.working,
		holdBack, m.paused, m.stopped, m.failed && leaving && !m.working && m.left == Finished, m.tries > 0,
		m.vacant && m.state == Acquiring,
	} {
		if flag {
			p |= 1 << (flagsAt + i)
		}
	}
	return p
}

// Rank returns what stands for the term of p.
func (p Packed) Rank() uint8 { return uint8(p >> termAt) }

// Ranked returns p with rank for its term.
func (p Packed) Ranked(rank uint8) Packed { return p&^(0xff<<termAt) | Packed(rank)<<termAt }

// packInstant is i as seen from now, in ticks; all that lie further back than past are one.
func packInstant(i, now Instant, past, tick time.Duration) Packed {
	d := max(i.Sub(now), -past)
	if tick != 1 {
		if off := d % tick; off > 0 { // nothing happens between ticks
			d += tick - off
		}
		d /= tick
	}
	return Packed(uint8(int8(d))) | 1<<8
}

// Unpack returns the machine that p stands for, with instant 0 for the moment of packing, ranks for terms, and 1 for
// the number of the awaited call.
func (p Packed) Unpack(t *Timing, tick time.Duration) Machine {
	at := func(shift int) Instant { // 0 where the instant does not matter
		return Instant(int64(int8(p>>shift)) * int64(tick))
	}
	flag := func(i int) bool { return p>>(flagsAt+i)&1 != 0 }
	m := Machine{
		timing: t, until: at(untilAt), next: at(nextAt), sent: at(sentAt), by: at(byAt), term: lease.Term(p.Rank()),
		state: State(p >> stateAt & 3), awaits: Op(p >> awaitsAt & 3), left: Reason(p >> leftAt & 31),
		working: flag(0), renewing: flag(1), gone: flag(2), doubt: flag(3), overran: flag(4), holdBack: flag(5),
		paused: flag(6), stopped: flag(7), failed: flag(8), vacant: flag(10),
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
