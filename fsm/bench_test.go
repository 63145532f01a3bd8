package fsm

import (
	"testing"
	"time"
)

// The election of a node with the common timing, at the moments of its life that come up most.
func BenchmarkStep(b *testing.B) {
	timing := Timing{TTL: 15 * time.Second}.Derive()
	leader, won := New(&timing, 1).Step(Input{})
	leader, _ = leader.Step(Input{Kind: Granted, Op: Acquire, Call: won.Number, Term: 1})
	renewing, renew := leader.Step(Input{Now: leader.Wake()})
	follower, asked := New(&timing, 1).Step(Input{})
	held := Input{Kind: Refused, Op: Acquire, Call: asked.Number, Term: 1, Who: Other, Remaining: time.Hour}
	follower, _ = follower.Step(held)
	granted := Input{Kind: Granted, Op: Renew, Call: renew.Number, Now: renewing.sent + 1}

	for _, c := range []struct {
		name string
		m    Machine
		in   Input
		want State
	}{
		{"a tick too soon", leader, Input{Now: leader.sent + 1}, Leader},
		{"a renewal is due", leader, Input{Now: leader.Wake()}, Leader},
		{"a renewal is granted", renewing, granted, Leader},
		{"a follower stands", follower, Input{Now: follower.Wake()}, Acquiring},
		{"the deadline has passed", leader, Input{Now: leader.Until()}, Releasing},
		{"news of another", follower, Input{Kind: Seen, Who: Other, Term: 2, Remaining: time.Hour, Now: 1}, Follower},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var m Machine
			for b.Loop() {
				m, _ = c.m.Step(c.in)
			}
			if m.State() != c.want {
				b.Fatalf("%v, want %v", m.State(), c.want)
			}
		})
	}
}

// A whole renewal of a leader: the host looks when to wake the machine, a tick sends the renewal, the answer comes.
func BenchmarkRenewal(b *testing.B) {
	timing := Timing{TTL: 15 * time.Second}.Derive()
	m, c := New(&timing, 1).Step(Input{})
	m, _ = m.Step(Input{Kind: Granted, Op: Acquire, Call: c.Number, Term: 1})
	b.ReportAllocs()
	for b.Loop() {
		now := m.Wake()
		m, c = m.Step(Input{Now: now})
		m, _ = m.Step(Input{Kind: Granted, Op: Renew, Call: c.Number, Now: now.Add(time.Millisecond)})
	}
	if m.State() != Leader {
		b.Fatal(m.State(), m.Reason())
	}
}

// A move through the table, with an action on leaving, one on entering, and one for every move.
func BenchmarkTransition(b *testing.B) {
	ran := 0
	count := func(Move, any) { ran++ }
	actions := Actions{Moved: count}
	for s := range State(states) {
		actions.Leave[s], actions.Enter[s] = count, count
	}
	table := NewTable(actions)
	cycle := []Move{
		{Follower, Due, Acquiring}, {Acquiring, Won, Leader}, {Leader, Resigned, Releasing}, {Releasing, Released, Follower},
	}
	subject := any(table)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Fire(cycle[n%len(cycle)], subject); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if ran != 3*n {
		b.Fatalf("%d actions of %d moves", ran, n)
	}
}
