package leasetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

var alice = lease.Holder{Name: "alice", Incarnation: "1"}

// around returns a Faulty around leases in memory. In a bubble the real clock is virtual.
func around(plan Plan) (*Faulty, *memory.Manager) {
	m := &memory.Manager{Quiet: true}
	return &Faulty{Manager: m, Plan: plan}, m
}

// TestEachKindOfFault makes an Acquire with each kind, once with a context that ends first and once with one that does
// not. A second after the call it looks at the store.
func TestEachKindOfFault(t *testing.T) {
	const never, second = time.Hour, time.Second
	own := errors.New("own")
	for _, c := range []struct {
		fault   Fault
		timeout time.Duration
		err     error
		took    time.Duration // of the call
		granted bool          // at the store, half a second after the context or the call ended
		later   bool          // at the store, at last
	}{
		{Fault{}, never, nil, 0, true, true},
		{Fault{Kind: Slow, Delay: second}, never, nil, second, true, true},
		{Fault{Kind: Slow, Delay: 3 * second}, second, context.DeadlineExceeded, second, false, false},
		{Fault{Kind: Slow, Delay: -1}, second, nil, 0, true, true},
		{Fault{Kind: ErrorBefore}, never, ErrInjected, 0, false, false},
		{Fault{Kind: ErrorBefore, Err: own}, never, own, 0, false, false},
		{Fault{Kind: ErrorAfter}, never, ErrInjected, 0, true, true},
		{Fault{Kind: ErrorAfter, Err: own}, never, own, 0, true, true},
		{Fault{Kind: LostRequest}, second, context.DeadlineExceeded, second, false, false},
		{Fault{Kind: LostAnswer}, second, context.DeadlineExceeded, second, true, true},
		{Fault{Kind: LateRequest, Delay: second}, never, nil, second, true, true},
		{Fault{Kind: LateRequest, Delay: 3 * second}, second, context.DeadlineExceeded, second, false, true},
		{Fault{Kind: LateAnswer, Delay: 3 * second}, never, nil, 3 * second, true, true},
		{Fault{Kind: LateAnswer, Delay: 3 * second}, second, nil, 3 * second, true, true},
	} {
		t.Run(fmt.Sprintf("%v for %v within %v", c.fault.Kind, c.fault.Delay, c.timeout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, m := around(Script(Step{Fault: c.fault}))
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				begun := time.Now()
				l, err := f.Acquire(ctx, "k", alice, never)
				took := time.Since(begun)
				if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || (err == nil) != (l.Term == 1) || took != c.took {
					t.Errorf("Acquire = %+v, %v after %v; want %v after %v", l, err, took, c.err, c.took)
				}
				time.Sleep(second / 2)
				if r, _ := m.Read(t.Context(), "k"); (r.Term == 1) != c.granted {
					t.Errorf("soon after, the store has %+v; want it granted: %v", r, c.granted)
				}
				time.Sleep(5 * second)
				if r, _ := m.Read(t.Context(), "k"); (r.Term == 1) != c.later {
					t.Errorf("at last, the store has %+v; want it granted: %v", r, c.later)
				}
			})
		})
	}
}

func TestEachMethodHasItsFaults(t *testing.T) {
	f, _ := around(nil)
	ctx := t.Context()
	l, err := f.Acquire(ctx, "k", alice, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Renew(ctx, l, time.Minute); err != nil {
		t.Error(err)
	}
	if r, err := f.Read(ctx, "k"); err != nil || r.Lease != l {
		t.Errorf("Read = %+v, %v", r, err)
	}
	if err := f.Release(ctx, l); err != nil {
		t.Error(err)
	}
	stop, err := f.Watch("k", func(lease.Record) {})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	f.Plan = Script(Step{Fault: Fault{Kind: ErrorBefore}})
	_, acquire := f.Acquire(ctx, "k", alice, time.Minute)
	_, read := f.Read(ctx, "k")
	_, watch := f.Watch("k", func(lease.Record) {})
	for method, err := range map[Method]error{
		Acquire: acquire, Renew: f.Renew(ctx, l, time.Minute), Release: f.Release(ctx, l), Read: read, Watch: watch,
	} {
		if !errors.Is(err, ErrInjected) {
			t.Errorf("%s = %v; want %v", method, err, ErrInjected)
		}
		if n := f.Count(method); n != 2 {
			t.Errorf("%s was counted %d times; want 2", method, n)
		}
	}
}

func TestAHungCallIgnoresItsContextUntilItIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m := around(Script(Step{Fault: Fault{Kind: Hang}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				if _, err := f.Acquire(ctx, fmt.Sprint(i), alice, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("freed after the end of its context: %v; want what the Manager says of that", err)
				}
			})
		}
		time.Sleep(time.Hour)
		if n := f.Hanging(); n != 3 {
			t.Errorf("%d calls hang; want 3", n)
		}
		f.Free()
		wg.Wait()
		wg.Go(func() {
			if _, err := f.Acquire(t.Context(), "k", alice, time.Hour); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if n := f.Hanging(); n != 1 {
			t.Errorf("%d calls hang after Free; want the one that came later", n)
		}
		f.Heal()
		wg.Wait()
		if r, _ := m.Read(t.Context(), "k"); r.Term != 1 || f.Hanging() != 0 {
			t.Errorf("healed: %+v, %d hang; want the request carried out", r, f.Hanging())
		}
		f.Free()
	})
}

func TestHealEndsEveryFaultAndJoinsLateRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := []Kind{Slow, LostRequest, LostAnswer, LateAnswer, Hang}
		f, m := around(func(c Call) Fault {
			if c.Key == "late" {
				return Fault{Kind: LateRequest, Delay: time.Hour}
			}
			return Fault{Kind: kinds[c.Number-1], Delay: time.Hour}
		})
		var ended atomic.Int32
		for i := range kinds {
			go func() {
				_, _ = f.Acquire(t.Context(), fmt.Sprint(i), alice, time.Minute)
				ended.Add(1)
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Acquire(ctx, "late", alice, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v", err)
		}
		if n := ended.Load(); n != 0 {
			t.Errorf("%d calls ended before Heal", n)
		}
		f.Heal()
		if r, _ := m.Read(t.Context(), "late"); r.Term != 1 {
			t.Errorf("after Heal the late request has not been carried out: %+v", r)
		}
		synctest.Wait()
		if n := ended.Load(); int(n) != len(kinds) {
			t.Errorf("%d calls of %d ended after Heal", n, len(kinds))
		}
		f.Heal()
		if _, err := f.Acquire(t.Context(), "new", alice, time.Minute); err != nil {
			t.Errorf("Acquire after Heal = %v", err)
		}
	})
}

func TestDelaysGoByTheClockGiven(t *testing.T) {
	clk := clock.NewMock()
	f, _ := around(Script(Step{Fault: Fault{Kind: Slow, Delay: time.Hour}}))
	f.Clock = clk
	done := make(chan error)
	go func() {
		_, err := f.Acquire(t.Context(), "k", alice, time.Minute)
		done <- err
	}()
	for err, open := error(nil), true; open; {
		select {
		case err = <-done:
			if open = false; err != nil {
				t.Error(err)
			}
		default:
			clk.Add(time.Minute)
		}
	}
	if clk.Now().Before(time.Unix(3600, 0)) {
		t.Errorf("the call ended after %v", clk.Now())
	}
}

// bare is neither Watcher nor Reader nor Limiter.
type bare struct{ lease.Manager }

func TestAWrapperSaysWhatTheManagerCannotDo(t *testing.T) {
	f := &Faulty{Manager: bare{}}
	if _, err := f.Read(t.Context(), "k"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Read = %v", err)
	}
	if _, err := f.Watch("k", func(lease.Record) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Watch = %v", err)
	}
	if l := f.Limits(); l != (lease.Limits{}) {
		t.Errorf("Limits = %+v", l)
	}
}

func TestADeafWatchTellsNothing(t *testing.T) {
	f, m := around(Script(Step{Method: Watch, Nth: 1, Fault: Fault{Kind: LostRequest}}))
	deaf := func(lease.Record) { t.Error("a deaf watch was told of something") }
	hears := make(chan lease.Record, 10)
	stopDeaf, err := f.Watch("k", deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer stopDeaf()
	stop, err := f.Watch("k", func(r lease.Record) { hears <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	m.Assign("k", "bob")
	if r := <-hears; r.Holder.Name != "bob" {
		t.Errorf("told of %+v", r)
	}
}
