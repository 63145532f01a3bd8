package leasetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
	"github.com/go-tenure/tenure/lease/memory"
)

var (
	ctx   = context.Background()
	alice = lease.Holder{Name: "alice", Incarnation: "1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "1"}
)

// This is the whole test of a store. Its clock is virtual here; leave Clock out for a store in real time.
func ExampleRun() {
	TestStore := func(t *testing.T) {
		clk := clock.NewMock()
		leasetest.Run(t, leasetest.Config{
			Clock: clk,
			New:   func(leasetest.TB) lease.Manager { return &memory.Manager{Clock: clk, Quiet: true} },
		})
	}
	fmt.Printf("%T\n", TestStore)
	// Output:
	// func(*testing.T)
}

// twins is a store that goes by the names of holders alone.
type twins struct{ *memory.Manager }

func (m twins) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	h.Incarnation = "any"
	return m.Manager.Acquire(ctx, key, h, ttl)
}

func ExampleCheck() {
	clk := clock.NewMock()
	good := leasetest.Config{
		Clock: clk,
		New:   func(leasetest.TB) lease.Manager { return &memory.Manager{Clock: clk, Quiet: true} },
	}
	bad := good
	bad.New = func(t leasetest.TB) lease.Manager { return twins{good.New(t).(*memory.Manager)} }
	fmt.Println(len(leasetest.Check(ctx, good)))
	for _, v := range leasetest.Check(ctx, bad) {
		if v.Law == "the same name in another incarnation is somebody else" {
			fmt.Println(v.Law)
			break
		}
	}
	// Output:
	// 0
	// the same name in another incarnation is somebody else
}

func ExampleFaulty() {
	f := &leasetest.Faulty{
		Manager: &memory.Manager{Quiet: true},
		Plan: leasetest.Script(
			leasetest.Step{Number: 1, Fault: leasetest.Fault{Kind: leasetest.ErrorAfter}},
		),
	}
	_, err := f.Acquire(ctx, "billing", alice, time.Minute)
	fmt.Println(err)
	_, err = f.Acquire(ctx, "billing", bob, time.Minute) // the request was carried out, only its answer was lost
	fmt.Println(errors.Is(err, lease.ErrHeld))
	l, err := f.Acquire(ctx, "billing", alice, time.Minute)
	fmt.Println(l.Term, err)
	fmt.Println(f.Count(leasetest.Acquire))
	// Output:
	// leasetest: injected fault
	// true
	// 2 <nil>
	// 3
}

func ExampleFaulty_Free() {
	f := &leasetest.Faulty{
		Manager: &memory.Manager{Quiet: true},
		Plan:    leasetest.Script(leasetest.Step{Fault: leasetest.Fault{Kind: leasetest.Hang}}),
	}
	soon, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	answer := make(chan error)
	go func() {
		_, err := f.Acquire(soon, "billing", alice, time.Minute)
		answer <- err
	}()
	<-soon.Done()
	for f.Hanging() == 0 {
		runtime.Gosched()
	}
	fmt.Println("hanging:", f.Hanging())
	f.Free()
	fmt.Println(<-answer)
	// Output:
	// hanging: 1
	// lease: acquire "billing": context deadline exceeded
}

func ExampleFaulty_Heal() {
	f := &leasetest.Faulty{
		Manager: &memory.Manager{Quiet: true},
		Plan: leasetest.Script(leasetest.Step{
			Method: leasetest.Acquire, Fault: leasetest.Fault{Kind: leasetest.LateRequest, Delay: time.Hour},
		}),
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := f.Acquire(gone, "billing", alice, time.Minute)
	fmt.Println(err)
	r, _ := f.Read(ctx, "billing")
	fmt.Println(r.Holder)
	f.Heal() // the request arrives
	r, _ = f.Read(ctx, "billing")
	fmt.Println(r.Holder)
	// Output:
	// leasetest: acquire "billing": context canceled
	// nobody
	// alice
}

func ExampleScript() {
	slow := leasetest.Fault{Kind: leasetest.Slow, Delay: time.Second}
	plan := leasetest.Script(
		leasetest.Step{Method: leasetest.Renew, Holder: "alice", Nth: 3, Fault: leasetest.Fault{Kind: leasetest.LostAnswer}},
		leasetest.Step{Key: "billing", Fault: slow},
	)
	fmt.Println(plan(leasetest.Call{Method: leasetest.Renew, Key: "billing", Holder: "alice", Nth: 3}).Kind)
	fmt.Println(plan(leasetest.Call{Method: leasetest.Renew, Key: "billing", Holder: "alice", Nth: 4}).Kind)
	fmt.Println(plan(leasetest.Call{Method: leasetest.Renew, Key: "mail", Holder: "alice", Nth: 4}).Kind)
	// Output:
	// lost answer
	// slow
	// none
}

func ExampleSeeded() {
	plan := leasetest.Seeded(42, leasetest.Odds{LostAnswer: 0.2, ErrorBefore: 0.1})
	for nth := 1; nth <= 4; nth++ {
		call := leasetest.Call{Method: leasetest.Renew, Key: "billing", Holder: "alice", Nth: nth}
		fmt.Println(nth, plan(call).Kind)
	}
	// Output:
	// 1 none
	// 2 lost answer
	// 3 none
	// 4 none
}
