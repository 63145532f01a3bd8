package leasetest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestAToyWithoutDefectKeepsTheLaws(t *testing.T) {
	Run(t, defect{}.config())
}

// TestEveryMutantIsKilled runs the suite against each defect of the toy: a suite that lets one pass does not test that
// promise. In the bubble the pauses of clock.Mock cost nothing.
func TestEveryMutantIsKilled(t *testing.T) {
	for i := range reflect.TypeFor[defect]().NumField() {
		name := reflect.TypeFor[defect]().Field(i).Name
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := Check(t.Context(), new(defect).with(i).config())
				if len(found) == 0 {
					t.Fatalf("no law noticed a Manager with the defect %s", name)
				}
				for _, v := range found {
					text, _, _ := strings.Cut(v.String(), "\n")
					t.Log(text)
				}
			})
		})
	}
}

// late is a toy at which a request that was given up arrives after the next, with a lease as long as that one's.
type late struct {
	*toy
	given *bool
}

func (m late) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	l, err := m.toy.Acquire(ctx, key, h, ttl)
	if err == nil && *m.given {
		_, err = m.toy.Acquire(ctx, key, h, ttl)
	}
	*m.given = ctx.Err() != nil
	return l, err
}

func TestAnAcquireThatComesLateMayRaiseTheTermIfItEndsNothingEarly(t *testing.T) {
	c, given := defect{}.config(), false
	open := c.New
	c.New = func(t TB) lease.Manager { return late{open(t).(*toy), &given} }
	c.Peer, c.Reopen, c.Erase = nil, nil, nil
	for _, text := range observe(t.Context(), func(t TB) { overtakenAcquires(c.scene(t)) }) {
		t.Error(text)
	}
}

func (d *defect) with(field int) defect {
	broken := *d
	v := reflect.NewAt(reflect.TypeFor[bool](), reflect.ValueOf(&broken).Elem().Field(field).Addr().UnsafePointer())
	v.Elem().SetBool(true)
	return broken
}

func TestCheckReportsWhatKeepsItFromTesting(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := func(TB) lease.Manager { panic("broken store") }
	for _, c := range []struct {
		name string
		ctx  context.Context
		c    Config
		want []string
	}{
		{"no New", t.Context(), Config{}, []string{"the suite is set up", "Config.New is nil"}},
		{"a panic", t.Context(), Config{New: broken}, []string{"panic: broken store", "goroutine"}},
		{"an ended context", ended, defect{}.config(), []string{"not tested to the end: context canceled"}},
		{
			"a TTL outside the limits", t.Context(), Config{TTL: time.Second, New: defect{limitsIgnored: true}.config().New},
			[]string{"the suite cannot run with a TTL of 1s", "less than 10s"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := fmt.Sprint(Check(c.ctx, c.c))
			for _, want := range c.want {
				if !strings.Contains(found, want) {
					t.Errorf("Check found %.300s; want it to say %q", found, want)
				}
			}
		})
	}
}

func TestCheckCleansUpAfterEachLaw(t *testing.T) {
	clk := clock.NewMock()
	var open []string
	dirs, closed := 0, 0
	found := Check(t.Context(), Config{
		Clock: clk,
		New: func(t TB) lease.Manager {
			if len(open) != 0 {
				t.Errorf("a law begins before the one before it is cleaned up: %v", open)
			}
			dir := t.TempDir()
			if _, err := os.Stat(dir); err == nil {
				dirs++
			}
			open = append(open, dir)
			t.Cleanup(func() {
				open = nil
				if _, err := os.Stat(dir); err == nil && t.Context().Err() != nil {
					closed++
				}
			})
			return &memory.Manager{Clock: clk, Quiet: true}
		},
	})
	if len(found) != 0 || dirs != len(laws()) || closed != dirs {
		t.Errorf("%d laws: %v, %d directories, %d cleaned up after the end of the context and before they were removed",
			len(laws()), found, dirs, closed)
	}
}

func TestDeclaredLimitsAreKept(t *testing.T) {
	for _, l := range []lease.Limits{
		{MinTTL: 10 * time.Second},
		{MinTTL: 15 * time.Second, MaxTTL: time.Minute, Step: time.Second},
		{MinTTL: time.Second, MaxTTL: time.Second, MaxKey: 63},
		{Step: 2 * time.Second},
	} {
		t.Run(fmt.Sprint(l), func(t *testing.T) {
			clk := clock.NewMock()
			Run(t, Config{
				Clock: clk,
				New: func(TB) lease.Manager {
					return &limited{memory.Manager{Clock: clk, Quiet: true}, l}
				},
			})
		})
	}
}

// limited is a Manager with limits.
type limited struct {
	memory.Manager
	limits lease.Limits
}

func (m *limited) Limits() lease.Limits { return m.limits }

func (m *limited) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := m.limits.Check(ttl); err != nil {
		return lease.Lease{}, err
	}
	if m.limits.MaxKey > 0 && len(key) > m.limits.MaxKey {
		return lease.Lease{}, fmt.Errorf("the key has %d bytes; at most %d are kept", len(key), m.limits.MaxKey)
	}
	return m.Manager.Acquire(ctx, key, h, ttl)
}

func (m *limited) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := m.limits.Check(ttl); err != nil {
		return err
	}
	return m.Manager.Renew(ctx, l, ttl)
}

// plain is a Manager and nothing else.
type plain struct{ lease.Manager }

func TestAManagerThatCanDoNothingElseKeepsTheLaws(t *testing.T) {
	clk := clock.NewMock()
	var passed time.Duration
	Run(t, Config{
		Clock: clk,
		Wait: func(d time.Duration) {
			passed += d
			clk.Add(d)
		},
		New: func(TB) lease.Manager { return plain{&memory.Manager{Clock: clk, Quiet: true}} },
	})
	if passed == 0 {
		t.Error("no time passed through Config.Wait")
	}
}
