package fsm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// An election within somebody else's loop: no goroutine, no timer, whatever clock the loop has. This one has no work to
// wait for, and its store answers at once.
type embedded struct {
	machine fsm.Machine
	holder  lease.Holder
	store   lease.Manager
}

// feed takes in a fact, makes the call that follows from it, and feeds the answer.
func (e *embedded) feed(in fsm.Input) {
	was := e.machine
	var call fsm.Call
	if e.machine, call = was.Step(in); was.State() != e.machine.State() {
		fmt.Printf("%4v %s: %v (%v)\n", time.Duration(in.Now), e.holder, e.machine.State(), e.machine.Reason())
		if was.State() == fsm.Leader { // there is no work: nothing of it runs any more
			e.feed(fsm.Input{Kind: fsm.Drained, Now: in.Now})
		}
	}
	var err error
	l := lease.Lease{Key: "billing", Holder: e.holder, Term: call.Term}
	ctx, cancel := context.WithTimeout(context.Background(), call.Timeout)
	defer cancel()
	switch call.Op {
	case fsm.NoCall:
		return
	case fsm.Acquire:
		l, err = e.store.Acquire(ctx, l.Key, l.Holder, e.machine.Timing().TTL)
	case fsm.Renew:
		err = e.store.Renew(ctx, l, e.machine.Timing().TTL)
	case fsm.Release:
		err = e.store.Release(ctx, l)
	}
	answer := fsm.Input{Kind: fsm.Granted, Op: call.Op, Call: call.Number, Now: in.Now, Term: l.Term}
	if refusal, refused := lease.Refusal(err); refused {
		answer.Kind, answer.Who = fsm.Refused, fsm.Other
		answer.Term, answer.Remaining = refusal.Term, refusal.Remaining
	} else if err != nil {
		answer.Kind = fsm.Unknown
	}
	e.feed(answer)
}

// Two nodes in one loop, on a store in memory and a clock that the loop turns. The first leads, stops and gives its
// lease back; the second takes over when it asks again.
func Example_customScheduler() {
	mock := clock.NewMock()
	store := &memory.Manager{Clock: mock, Quiet: true}
	timing := fsm.Timing{TTL: 15 * time.Second, Jitter: -1}.Derive()
	var nodes []*embedded
	for _, name := range []string{"a", "b"} {
		holder := lease.Holder{Name: name, Incarnation: "1"}
		nodes = append(nodes, &embedded{fsm.New(&timing, 1), holder, store})
	}
	for now := fsm.Instant(0); now < fsm.Instant(20*time.Second); now = now.Add(time.Second) {
		for _, e := range nodes {
			for e.machine.Wake() <= now {
				e.feed(fsm.Input{Kind: fsm.Tick, Now: now})
			}
		}
		if now == fsm.Instant(7*time.Second) {
			nodes[0].feed(fsm.Input{Kind: fsm.Stop, Now: now})
		}
		mock.Add(time.Second)
	}
	fmt.Println("a is done:", nodes[0].machine.Done())
	// Output:
	//   0s a: acquiring (due)
	//   0s a: leader (won)
	//   0s b: acquiring (due)
	//   0s b: follower (held)
	//   5s b: acquiring (due)
	//   5s b: follower (held)
	//   7s a: releasing (stopped)
	//   7s a: follower (released)
	//  10s b: acquiring (due)
	//  10s b: leader (won)
	// a is done: true
}

// A machine is a value. Step returns the next one, and the call that it wants made.
func ExampleMachine_Step() {
	timing := fsm.Timing{TTL: 15 * time.Second, Jitter: -1}.Derive()
	m, call := fsm.New(&timing, 1).Step(fsm.Input{Kind: fsm.Tick, Now: 0})
	fmt.Println(m.State(), "wants:", call.Op, "within", call.Timeout)

	m, _ = m.Step(fsm.Input{Kind: fsm.Granted, Op: call.Op, Call: call.Number, Term: 7, Now: fsm.Instant(time.Second)})
	fmt.Println(m.State(), "of term", m.Term(), "until", time.Duration(m.Until()), "wakes at", time.Duration(m.Wake()))

	late, _ := m.Step(fsm.Input{Kind: fsm.Resume, Now: m.Until()}) // whatever comes first after the deadline finds it
	fmt.Println(late.State(), late.Reason())
	// Output:
	// acquiring wants: acquire within 2.5s
	// leader of term 7 until 11.85s wakes at 5s
	// releasing expired
}

// A new machine follows, and stands as soon as it is stepped.
func ExampleNew() {
	timing := fsm.Timing{TTL: 15 * time.Second}.Derive()
	m := fsm.New(&timing, 42)
	fmt.Println(m.State(), m.Reason(), m.Term(), time.Duration(m.Wake()), m.Leading(0))
	// Output: follower none 0 0s false
}

func ExampleTiming_Check() {
	fmt.Println(fsm.Timing{TTL: 15 * time.Second}.Check())
	fmt.Println(fsm.Timing{TTL: 15 * time.Second, Grace: 20 * time.Second}.Check())
	fmt.Println(fsm.Timing{TTL: 15 * time.Second, Poll: -1, Jitter: 80}.Check())
	// Output:
	// <nil>
	// fsm: timing: Grace 20s leaves no time to lead: TTL·(1-Drift) - Grace = -5.15s
	// fsm: timing: Poll -1ns must be more than 0
	// fsm: timing: Jitter 80% must be at most 50%
}

func ExampleTiming_Derive() {
	t := fsm.Timing{TTL: 30 * time.Second}.Derive()
	fmt.Println("renew every", t.Renew, "- lead for", t.Lead(), "- a crash costs at most", t.CrashFailover())
	// Output: renew every 10s - lead for 23.7s - a crash costs at most 45.3s
}

// A table runs actions on legal moves, and refuses all others without running any.
func ExampleNewTable() {
	var actions fsm.Actions
	actions.Enter[fsm.Leader] = func(_ fsm.Move, key any) { fmt.Println("start the work of", key) }
	actions.Leave[fsm.Leader] = func(m fsm.Move, key any) { fmt.Println("stop the work of", key, "-", m.Reason) }
	table := fsm.NewTable(actions)

	fmt.Println(table.Fire(fsm.Move{From: fsm.Acquiring, Reason: fsm.Won, To: fsm.Leader}, "billing"))
	fmt.Println(table.Fire(fsm.Move{From: fsm.Leader, Reason: fsm.Expired, To: fsm.Releasing}, "billing"))
	fmt.Println(table.Fire(fsm.Move{From: fsm.Leader, Reason: fsm.Expired, To: fsm.Follower}, "billing") != nil)
	// Output:
	// start the work of billing
	// <nil>
	// stop the work of billing - expired
	// <nil>
	// true
}

func ExampleMoves() {
	for _, m := range fsm.Moves() {
		if m.From == fsm.Acquiring {
			fmt.Println(m.Reason, "->", m.To)
		}
	}
	// Output:
	// won -> leader
	// held -> follower
	// failed -> follower
	// late -> releasing
	// paused -> releasing
	// stopped -> releasing
}

func ExampleMermaid() {
	fmt.Print(fsm.Mermaid())
	// Output:
	// stateDiagram-v2
	//     [*] --> follower
	//     acquiring --> follower: failed
	//     acquiring --> follower: held
	//     acquiring --> releasing: late
	//     acquiring --> releasing: paused
	//     acquiring --> releasing: stopped
	//     acquiring --> leader: won
	//     follower --> acquiring: due
	//     follower --> acquiring: vacant
	//     leader --> releasing: expired
	//     leader --> releasing: finished
	//     leader --> releasing: handed_over
	//     leader --> releasing: lost
	//     leader --> releasing: paused
	//     leader --> releasing: resigned
	//     leader --> releasing: stopped
	//     releasing --> follower: abandoned
	//     releasing --> follower: gone
	//     releasing --> follower: released
}

// Whoever explores all that can be reached keeps machines packed, and goes on from them unpacked.
func ExampleMachine_Pack() {
	const tick = time.Millisecond
	timing := fsm.Timing{TTL: 12 * tick, Retry: tick, Grace: 2 * tick, Drift: -1, Jitter: -1}.Derive()
	m, call := fsm.New(&timing, 1).Step(fsm.Input{Kind: fsm.Tick, Now: 0})
	m, _ = m.Step(fsm.Input{Kind: fsm.Granted, Op: call.Op, Call: call.Number, Term: 7, Now: fsm.Instant(tick)})

	const first = 1 // the only term in this small world is its first
	same := m.Pack(fsm.Instant(3*tick), tick, first).Unpack(&timing, tick)
	fmt.Println(same.State(), "of term", same.Term(), "for another", time.Duration(same.Until()))
	// Output: leader of term 1 for another 7ms
}
