package register

import (
	"testing"
)

// Every mutant is the decision with one known mistake. If the exploration does not find it, the exploration is broken.
var mutants = map[string]struct {
	in string // the setting that shows it
	decision
}{
	"takes over at first sight": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		s.Since = -100
		return c.Next(s, now)
	}}},
	"judges by the timestamp of another clock": {"clocks apart", decision{next: func(c Call, s Sight,
		now Now) (Call, Move) {
		s.Body.Domain = now.Domain
		return c.Next(s, now)
	}}},
	"waits its own TTL, not the holder's": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		s.Body.TTL = min(c.TTL, s.Body.TTL)
		return c.Next(s, now)
	}}},
	"counts from before it looked": {"two hosts", decision{see: func(s Sight, v string, b Body, asked, _ Now) Sight {
		return s.See(v, b, asked)
	}}},
	"counts from the first sight of the holder": {"two hosts", decision{sticky: true, see: func(s Sight, v string,
		b Body, _, now Now) Sight {
		next := s.See(v, b, now)
		if s.Body.Holder == b.Holder && s.Body.Term == b.Term {
			next.Since = s.Since
		}
		return next
	}}},
	"takes a conflict for a refusal": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		if c.Writes > 0 {
			return c, Move{Step: Refused}
		}
		return c.Next(s, now)
	}}},
	"takes an unknown outcome for success": {"two hosts", decision{unknown: Done}},
	"takes over without a condition":       {"two hosts", decision{blind: true}},
	"deletes the record on release": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		c, move := c.Next(s, now)
		if c.Op == Release && move.Step == Write {
			move.Body = Body{}
		}
		return c, move
	}}},
	"renews without changing the record": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		c, move := c.Next(s, now)
		if c.Op == Renew && move.Step == Write {
			move.Body.Seq, move.Body.Nonce = s.Body.Seq, s.Body.Nonce
		}
		return c, move
	}}},
	"keeps the term when it acquires again": {"two hosts", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		c, move := c.Next(s, now)
		if c.Op == Acquire && move.Step == Write && s.Body.Holder.Is(c.Holder) {
			move.Body.Term = s.Body.Term
		}
		return c, move
	}}},
	"knows its own write by the holder only": {"one host", decision{next: func(c Call, s Sight, now Now) (Call, Move) {
		if c.Writes > 0 && s.Body.Holder.Is(c.Holder) && s.Body.Term == c.Sent.Term {
			return c, Move{Step: Done, Body: s.Body}
		}
		return c.Next(s, now)
	}}},
}

func TestTheExplorationFindsEveryKnownMistake(t *testing.T) {
	for name, d := range mutants {
		t.Run(name, func(t *testing.T) {
			worlds, failure := explore(d.decision, settings[d.in])
			if failure == "" {
				t.Fatalf("the exploration of %d worlds does not see the difference", worlds)
			}
			t.Log(failure)
		})
	}
}
