package memory

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 10 * time.Second

var (
	bg    = context.Background()
	alice = lease.Holder{Name: "alice", Incarnation: "a1", Meta: "10.0.0.1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "b1"}
)

func virtual() (*Manager, *clock.Mock) {
	clk := clock.NewMock()
	return &Manager{Clock: clk, Quiet: true}, clk
}

func acquire(t *testing.T, m *Manager, key string, h lease.Holder) lease.Lease {
	t.Helper()
	l, err := m.Acquire(bg, key, h, ttl)
	if err != nil {
		t.Fatalf("Acquire(%q, %s) = %v; want a lease", key, h, err)
	}
	if l.Key != key || l.Holder != h {
		t.Fatalf("Acquire(%q, %s) = %+v; want that key and that holder", key, h, l)
	}
	return l
}

// held returns the record in the refusal of an Acquire.
func held(t *testing.T, m *Manager, key string, h lease.Holder) lease.Record {
	t.Helper()
	_, err := m.Acquire(bg, key, h, ttl)
	var refusal *lease.HeldError
	if !errors.As(err, &refusal) {
		t.Fatalf("Acquire(%q, %s) = %v; want a HeldError", key, h, err)
	}
	return refusal.Record
}

// lost fails unless err refuses l and tells of a record with that holder and term.
func lost(t *testing.T, err error, h lease.Holder, term lease.Term) {
	t.Helper()
	var refusal *lease.LostError
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v; want a LostError", err)
	}
	if r := refusal.Record; r.Holder != h || r.Term != term {
		t.Fatalf("the refusal tells of %q under term %d; want %q under %d", r.Holder, r.Term, h, term)
	}
}
