package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

var (
	ctx   = context.Background()
	alice = lease.Holder{Name: "alice", Incarnation: "1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "1"}
)

func ExampleManager() {
	clk := clock.NewMock() // leave Clock nil for real time
	m := memory.Manager{Clock: clk, Quiet: true}

	l, _ := m.Acquire(ctx, "billing", alice, 15*time.Second)
	_, err := m.Acquire(ctx, "billing", bob, 15*time.Second)
	fmt.Println(err)

	clk.Add(15 * time.Second) // alice does not renew
	l2, _ := m.Acquire(ctx, "billing", bob, 15*time.Second)
	fmt.Println(m.Renew(ctx, l, 15*time.Second))
	fmt.Println(l2.Term > l.Term)
	// Output:
	// lease: "billing" is held by alice under term 1 for another 15s
	// lease: lost "billing", term 1: held by bob under term 2
	// true
}

func ExampleManager_Assign() {
	m := memory.Manager{Clock: clock.NewMock(), Quiet: true}
	l, _ := m.Acquire(ctx, "billing", alice, 15*time.Second)

	m.Assign("billing", "bob")
	fmt.Println(errors.Is(m.Renew(ctx, l, 15*time.Second), lease.ErrLost))
	_, err := m.Acquire(ctx, "billing", alice, 15*time.Second)
	fmt.Println(err)
	l, err = m.Acquire(ctx, "billing", bob, 15*time.Second)
	fmt.Println(l.Term, err)
	// Output:
	// true
	// lease: "billing" is held by bob under term 2
	// 3 <nil>
}

func ExampleManager_Watch() {
	m := memory.Manager{Clock: clock.NewMock(), Quiet: true}
	told := make(chan lease.Record, 10)
	stop, _ := m.Watch("billing", func(r lease.Record) { told <- r })
	defer stop()

	l, _ := m.Acquire(ctx, "billing", alice, 15*time.Second)
	r := <-told
	fmt.Println(r.Holder, "for", r.Remaining)
	_ = m.Release(ctx, l)
	fmt.Println((<-told).Holder)
	// Output:
	// alice for 15s
	// nobody
}

func ExampleManager_Read() {
	m := memory.Manager{Clock: clock.NewMock(), Quiet: true}
	r, err := m.Read(ctx, "billing")
	fmt.Println(r.Holder, r.Term, r.Vacant(), err)
	_, _ = m.Acquire(ctx, "billing", alice, 15*time.Second)
	r, err = m.Read(ctx, "billing")
	fmt.Println(r.Holder, r.Term, r.Remaining, err)
	// Output:
	// nobody 0 true <nil>
	// alice 1 15s <nil>
}
