package fsm

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// For every machine of the walk and every input: what has been packed and unpacked does the same as what has not.
func TestAnUnpackedMachineGoesOnLikeTheOneThatWasPacked(t *testing.T) {
	k := walkTiny(t)
	timing := k.worlds[0].m.timing
	pack := func(m Machine, now Instant) Packed { return m.Pack(now, tick, uint8(m.Term())) }
	step := 1
	if underRace {
		step = 10
	}
	different := map[Packed]bool{}
	for i := 0; i < len(k.worlds); i += step {
		m := k.worlds[i].m
		p := pack(m, present)
		different[p] = true
		unpacked := p.Unpack(timing, tick)
		if again := pack(unpacked, 0); again != p {
			t.Fatalf("%+v\npacks as %x, and then as %x", m, p, again)
		}
		for _, in := range k.inputs {
			in = k.worlds[i].meant(in)
			same := in
			same.Now, same.Call = 0, in.Call-min(in.Call, number-1)
			next, c := m.Step(in)
			unpackedNext, unpackedCall := unpacked.Step(same)
			late := present.Add(tick)
			got, want := pack(unpackedNext, Instant(tick)), pack(next, late)
			if c.Number, unpackedCall.Number = min(c.Number, 1), min(unpackedCall.Number, 1); got != want || c != unpackedCall {
				t.Fatalf("%s:\n%+v does\n%+v %+v, unpacked\n%+v %+v", describe(in), m, next, c, unpackedNext, unpackedCall)
			}
		}
	}
	if len(different) < len(k.worlds)/step/10 {
		t.Errorf("%d machines pack into %d", len(k.worlds)/step, len(different))
	}
	t.Logf("%d worlds have %d machines", (len(k.worlds)+step-1)/step, len(different))
}

// The growth of back-offs is left out, and nothing else: of an instant of time, of terms but their order.
func TestPackingForgetsWhichMomentItIs(t *testing.T) {
	timing := smallTiming(t)
	pack := func(began Instant, term lease.Term) Packed {
		m, c := New(timing, 0).Step(Input{Now: began})
		m, _ = m.Step(Input{Kind: Granted, Op: Acquire, Call: c.Number, Term: term, Now: began.Add(tick)})
		return m.Pack(began.Add(2*tick), tick, 1)
	}
	if pack(0, 1) != pack(Instant(time.Hour), 1000) {
		t.Error("the same leader packs differently an hour later")
	}
	if p := pack(0, 1); p.Rank() != 1 || p.Ranked(7).Rank() != 7 || p.Ranked(7).Ranked(1) != p {
		t.Error("another rank for the term changes more than that")
	}
	if pack(0, 1) == New(timing, 0).Pack(0, tick, 1) {
		t.Error("a leader packs like a follower")
	}
}
