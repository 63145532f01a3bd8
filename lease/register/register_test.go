package register

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

func TestAContenderTakesOverAfterItHasWatchedOneVersionForTheHoldersTTLAndDrift(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	a, b := manager(t, s, clk), manager(t, s, clk)
	first := acquire(t, a, alice)
	clk.Add(3 * time.Second)
	held(t, b, bob, ttl+ttl/100) // first sight
	clk.Add(4 * time.Second)
	held(t, b, bob, ttl+ttl/100-4*time.Second)
	if err := a.Renew(t.Context(), first, ttl); err != nil {
		t.Fatal(err)
	}
	clk.Add(time.Second)
	held(t, b, bob, ttl+ttl/100) // a new version
	clk.Add(ttl)
	held(t, b, bob, ttl/100)
	clk.Add(ttl/100 - 1)
	held(t, b, bob, 1)
	clk.Add(1)
	if second := acquire(t, b, bob); second.Term <= first.Term {
		t.Fatalf("term %d follows term %d", second.Term, first.Term)
	}
	if err := a.Renew(t.Context(), first, ttl); !errors.Is(err, lease.ErrLost) {
		t.Fatalf("the old holder's renewal returned %v", err)
	}
}

func TestAContenderOnTheSharedClockNeedNotWatch(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	domain := "boot"
	start := clk.Now()
	shared := func() (string, time.Duration) { return domain, clk.Now().Sub(start) }
	a, err := New(Config{Register: s, Clock: clk, Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	clk.Add(time.Minute)
	acquire(t, a, alice)
	clk.Add(4 * time.Second)
	b, err := New(Config{Register: s, Clock: clk, Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	held(t, b, bob, ttl-4*time.Second)
	domain = "another boot"
	held(t, b, bob, ttl+ttl/100)
	domain = "boot"
	start = start.Add(10 * time.Second) // the record now seems to come from the future: not believed
	held(t, b, bob, ttl+ttl/100)
	start = start.Add(-10 * time.Second)
	clk.Add(6 * time.Second)
	acquire(t, b, bob)
}

func TestTermsRiseOverReleaseExpiryAndTheSameHolderAgain(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	m := manager(t, s, clk)
	var last lease.Term
	rises := func(l lease.Lease) lease.Lease {
		t.Helper()
		if l.Term <= last {
			t.Fatalf("term %d follows term %d", l.Term, last)
		}
		last = l.Term
		return l
	}
	rises(acquire(t, m, alice))
	l := rises(acquire(t, m, alice))
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatalf("the second release returned %v", err)
	}
	rises(acquire(t, m, bob))
	clk.Add(2 * ttl)
	rises(acquire(t, m, alice))
	rises(acquire(t, manager(t, s, clk), alice)) // after a restart, with the incarnation kept
	if _, err := m.Read(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	s.delete(key)
	rises(acquire(t, m, bob)) // from the highest that it has seen
}

func TestALostRecordDoesNotTakeTheTermBelowTheFloor(t *testing.T) {
	m, err := New(Config{Register: newStore(), Floor: func(string) lease.Term { return 41 }})
	if err != nil {
		t.Fatal(err)
	}
	if l := acquire(t, m, alice); l.Term != 42 {
		t.Fatalf("term is %d, not 42", l.Term)
	}
}

func TestRenewAndReleaseActOnlyIfHolderIncarnationAndTermMatch(t *testing.T) {
	for name, change := range map[string]func(*lease.Lease){
		"another name":        func(l *lease.Lease) { l.Holder.Name = "bob" },
		"another incarnation": func(l *lease.Lease) { l.Holder.Incarnation = "2" },
		"an older term":       func(l *lease.Lease) { l.Term-- },
		"a term to come":      func(l *lease.Lease) { l.Term++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			m := manager(t, s, clock.NewMock())
			acquire(t, m, alice)
			l := acquire(t, m, alice)
			wrong := l
			change(&wrong)
			for _, other := range []*Manager{m, manager(t, s, clock.NewMock())} {
				for op, err := range map[string]error{
					"renew":   other.Renew(t.Context(), wrong, ttl),
					"release": other.Release(t.Context(), wrong),
				} {
					record, _ := lease.Refusal(err)
					if !errors.Is(err, lease.ErrLost) || record.Lease != l {
						t.Errorf("%s returned %v with %+v", op, err, record)
					}
				}
			}
			if s.stores != 2 {
				t.Errorf("there were %d writes, not 2", s.stores)
			}
		})
	}
}

func TestRenewAndReleaseCostOneStoreAndNoLoad(t *testing.T) {
	s := newStore()
	m := manager(t, s, clock.NewMock())
	l := acquire(t, m, alice)
	loads := s.loads
	for range 3 {
		if err := m.Renew(t.Context(), l, ttl); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if s.loads != loads || s.stores != 5 {
		t.Fatalf("%d loads and %d stores", s.loads-loads, s.stores)
	}
}

func TestAReleasedOrForgottenKeyTakesNoRoom(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	m := manager(t, s, clk)
	for i := range 5000 {
		if i == 2500 {
			clk.Add(2 * memory)
		}
		l, err := m.Acquire(t.Context(), fmt.Sprint("key", i), alice, ttl)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := m.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(m.seen.keys); n > 4096 {
		t.Fatalf("%d keys are remembered", n)
	}
	if m.seen.highest("key4999") != 1 {
		t.Fatal("the term of a key in use is forgotten")
	}
}

func TestNoTermIsLeftAfterTheGreatest(t *testing.T) {
	s := newStore()
	m := manager(t, s, clock.NewMock())
	if _, err := s.Store(t.Context(), key, Encode(key, Body{Term: MaxTerm}), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(t.Context(), key, alice, ttl); !errors.Is(err, lease.ErrPermanent) {
		t.Fatalf("it returned %v", err)
	}
}

func TestBadArgumentsAreRefusedBeforeTheStoreIsAsked(t *testing.T) {
	s := newStore()
	m, err := New(Config{Register: s, Limits: lease.Limits{MinTTL: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Limits(); got != (lease.Limits{MinTTL: time.Second, MaxTTL: MaxTTL}) {
		t.Errorf("limits are %+v", got)
	}
	good := lease.Lease{Key: key, Holder: alice, Term: 1}
	for name, err := range map[string]error{
		"no key":         second(m.Acquire(t.Context(), "", alice, ttl)),
		"nobody":         second(m.Acquire(t.Context(), key, lease.Holder{}, ttl)),
		"too short":      second(m.Acquire(t.Context(), key, alice, time.Millisecond)),
		"too long":       second(m.Acquire(t.Context(), key, alice, MaxTTL+1)),
		"renew too long": m.Renew(t.Context(), good, MaxTTL+1),
		"renew no key":   m.Renew(t.Context(), lease.Lease{Holder: alice, Term: 1}, ttl),
		"release no key": m.Release(t.Context(), lease.Lease{Holder: alice, Term: 1}),
		"renew bad meta": m.Renew(t.Context(), lease.Lease{Key: key, Holder: lease.Holder{Meta: "a\nb"}, Term: 1}, ttl),
		"read a bad key": second(m.Read(t.Context(), "a\nb")),
	} {
		if _, refused := lease.Refusal(err); err == nil || refused || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.loads+s.stores != 0 {
		t.Error("the store was asked")
	}
}

func second[T any](_ T, err error) error { return err }

func TestEveryFaultOfAConfigIsReportedAtOnce(t *testing.T) {
	c := Config{Drift: 1, Limits: lease.Limits{MinTTL: 2, MaxTTL: 1}, ID: strings.Repeat("x", 201)}
	for _, err := range []error{second(New(c)), second(NewWatcher(c))} {
		if err == nil || len(strings.Split(err.Error(), "\n")) != 4 {
			t.Errorf("it returned %v", err)
		}
	}
	type deaf struct{ Register }
	if _, err := NewWatcher(Config{Register: deaf{newStore()}}); err == nil {
		t.Error("a register without Notify was taken for one that has it")
	}
}

func TestAWatchTellsEachVersionOnceAndNothingAfterStop(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	w, err := NewWatcher(Config{Register: s, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	var told []lease.Record
	stop, err := w.Watch(key, func(r lease.Record) { told = append(told, r) })
	if err != nil {
		t.Fatal(err)
	}
	s.notify(key) // no record: nothing to tell
	l := acquire(t, w.Manager, alice)
	s.notify(key)
	s.notify(key)
	clk.Add(time.Second)
	if err := w.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	s.broken = true
	s.notify(key)
	s.broken = false
	s.notify(key)
	if err := w.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	s.notify(key)
	s.delete(key)
	s.notify(key)
	stop()
	stop()
	acquire(t, w.Manager, bob)
	s.notify(key)
	long := ttl + ttl/100
	want := []lease.Record{
		{Lease: l, Remaining: long}, {Lease: l, Remaining: long},
		{Lease: lease.Lease{Key: key, Term: 1}}, {Lease: lease.Lease{Key: key}},
	}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Fatalf("told %v, not %v", told, want)
	}
	if _, err := w.Watch("", nil); err == nil {
		t.Error("a bad key was watched")
	}
}
