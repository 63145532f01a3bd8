package register

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

func TestALostAnswerIsSettledByReadingBack(t *testing.T) {
	for _, f := range []fault{lostRequest, lostAnswer, ownConflict, spurious} {
		t.Run(fmt.Sprint("fault ", f), func(t *testing.T) {
			s := newStore()
			m := manager(t, s, clock.NewMock())
			s.faults = []fault{f, none, f, none, f}
			if f == lostAnswer || f == ownConflict {
				s.faults = []fault{f, f, f}
			}
			l := acquire(t, m, alice)
			if l.Term != 1 {
				t.Fatalf("acquired under term %d", l.Term)
			}
			if err := m.Renew(t.Context(), l, ttl); err != nil {
				t.Fatalf("renew: %v", err)
			}
			if r, err := m.Read(t.Context(), key); err != nil || r.Lease != l {
				t.Fatalf("read: %+v, %v", r, err)
			}
			if err := m.Release(t.Context(), l); err != nil {
				t.Fatalf("release: %v", err)
			}
			if l := acquire(t, m, bob); l.Term != 2 {
				t.Fatalf("acquired again under term %d", l.Term)
			}
		})
	}
}

func TestAWriteThatArrivesLateChangesNothing(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	m := manager(t, s, clk)
	s.faults = []fault{lateRequest, lateRequest, lateRequest, lateRequest}
	if _, err := m.Acquire(t.Context(), key, alice, ttl); err == nil || errors.Is(err, lease.ErrHeld) {
		t.Fatalf("acquire returned %v; its outcome is unknown", err)
	}
	l := acquire(t, manager(t, s, clk), bob)
	s.arrive()
	if r, err := m.Read(t.Context(), key); err != nil || r.Lease != l {
		t.Fatalf("read: %+v, %v", r, err)
	}
	s.faults = []fault{lateRequest, none} // the repetition arrives first
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	s.arrive()
	if r, err := m.Read(t.Context(), key); err != nil || !r.Vacant() || r.Term != l.Term {
		t.Fatalf("read: %+v, %v", r, err)
	}
}

func TestAnUnknownOutcomeIsNeitherDoneNorRefused(t *testing.T) {
	s := newStore()
	m := manager(t, s, clock.NewMock())
	l := acquire(t, m, alice)
	unknown := func(what string, err error) {
		t.Helper()
		if _, refused := lease.Refusal(err); refused || !errors.Is(err, errBroken) {
			t.Errorf("%s returned %v", what, err)
		}
	}
	s.broken = true
	_, err := m.Acquire(t.Context(), key, bob, ttl)
	unknown("an acquire that cannot load", err)
	s.faults = []fault{lostAnswer}
	unknown("a renewal that cannot be read back", m.Renew(t.Context(), l, ttl))
	s.broken = false
	s.faults = []fault{lostRequest, lostRequest, lostRequest, lostRequest, lostRequest}
	unknown("a renewal that never arrives", m.Renew(t.Context(), l, ttl))
	if n := MaxWrites; len(s.faults) != 5-n {
		t.Errorf("%d writes were made, not %d", 5-len(s.faults), n)
	}
	s.faults = nil
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Errorf("the next renewal does not settle it: %v", err)
	}
}

func TestALeaseTakenByAnotherBetweenLoadAndStoreIsRefused(t *testing.T) {
	s, clk := newStore(), clock.NewMock()
	a, b := manager(t, s, clk), manager(t, s, clk)
	s.before = func() {
		s.before = nil
		acquire(t, b, bob)
	}
	held(t, a, alice, ttl+ttl/100)
}

func TestAnEndedContextEndsTheCall(t *testing.T) {
	s := newStore()
	m := manager(t, s, clock.NewMock())
	l := acquire(t, m, alice)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	stores := s.stores
	_, err := m.Acquire(ctx, key, bob, ttl)
	for _, err := range []error{err, m.Renew(ctx, l, ttl), m.Release(ctx, l), second(m.Read(ctx, key))} {
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "shutting down") {
			t.Errorf("it returned %v", err)
		}
	}
	if s.stores != stores {
		t.Error("it wrote")
	}
}

func TestADamagedRecordIsAPermanentErrorThatNamesKeyPlaceAndRemedyOnOneLine(t *testing.T) {
	s := newStore()
	m, err := New(Config{Register: s, Where: func(key string) string { return "bucket/" + key }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store(t.Context(), key, []byte(`{"tenure":1,"key":"billing","term":`), ""); err != nil {
		t.Fatal(err)
	}
	_, err = m.Acquire(t.Context(), key, alice, ttl)
	if !errors.Is(err, lease.ErrPermanent) {
		t.Fatalf("it returned %v", err)
	}
	for _, part := range []string{`acquire "billing"`, "bucket/billing", `write {"tenure":1,"key":"billing","term":N}`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("it has several lines: %v", err)
	}
}
