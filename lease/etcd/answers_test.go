package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// fresh returns a key that no other test uses, nor the same test when it is repeated.
func fresh(name string) string { return name + " " + rand.Text()[:8] }

// holder returns a holder that nobody else uses.
func holder(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: lease.NewIncarnation()}
}

func grant(t *testing.T, m *Manager, key string, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func refused(t *testing.T, m *Manager, by lease.Lease) {
	t.Helper()
	_, err := m.Acquire(t.Context(), by.Key, holder("other"), time.Minute)
	var held *lease.HeldError
	if !errors.As(err, &held) || held.Record.Lease != by {
		t.Fatalf("Acquire = %v; want a refusal that names %+v", err, by)
	}
}

// etcdLeases returns how many leases the server has, of all keys.
func etcdLeases(t *testing.T, m *Manager) int {
	t.Helper()
	resp, err := m.client.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(resp.Leases)
}

func TestAnAcquireWhoseAnswerIsLostIsRecognised(t *testing.T) {
	t.Parallel()
	var w wire
	m, peer := open(t, shared.Addr(), w.use), open(t, shared.Addr())
	for _, method := range []string{"Txn", "LeaseGrant"} {
		w.spoil(method, 0, false)
		l := grant(t, m, fresh("lost "+method), holder("a"), time.Minute)
		refused(t, peer, l)
		if err := m.Renew(t.Context(), l, time.Minute); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if err := m.Release(t.Context(), l); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestALateAcquireThatWasGivenUpComesToNothing(t *testing.T) {
	t.Parallel()
	var w wire
	m, peer := open(t, shared.Addr(), w.use), open(t, shared.Addr())
	key := fresh("late acquire")
	w.spoil("Txn", 0, true)
	if _, err := m.Acquire(t.Context(), key, holder("a"), time.Minute); err == nil || errors.Is(err, lease.ErrHeld) {
		t.Fatalf("Acquire without an answer = %v; want an error that is no refusal", err)
	}
	if err := w.deliver(); err == nil {
		t.Error("the late request was carried out; want it refused, because its etcd lease has been revoked")
	}
	grant(t, peer, key, holder("b"), time.Minute)
}

func TestAnAcquireThatEndsWithItsContextIsUndoneByTheNext(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	var w wire
	m, peer := open(t, s.Addr(), w.use), open(t, s.Addr())
	h := holder("a")
	for _, method := range []string{"LeaseGrant", "Txn"} {
		ctx, cancel := context.WithCancel(t.Context())
		w.spoil(method, 0, false)
		w.then = cancel
		if _, err := m.Acquire(ctx, "undone", h, time.Minute); !errors.Is(err, context.Canceled) {
			t.Fatalf("Acquire whose context ended with the answer to %s = %v; want that it was cancelled", method, err)
		}
		w.then = nil
		if n := etcdLeases(t, peer); n != 1 {
			t.Errorf("%d etcd leases; %s was carried out, so there should be one", n, method)
		}
		l := grant(t, m, "another", h, time.Minute)
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if n := etcdLeases(t, peer); n != 0 {
			t.Errorf("%d etcd leases; want that of the failed Acquire revoked by the next", n)
		}
		if r, err := peer.Read(t.Context(), "undone"); err != nil || !r.Vacant() {
			t.Errorf("%+v, %v; want nobody", r, err)
		}
	}
}

func TestContendersLeaveNoEtcdLeasesBehind(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	done := make(chan error)
	const contenders = 8
	for range contenders {
		m := open(t, s.Addr())
		go func() {
			for range 20 {
				l, err := m.Acquire(t.Context(), "key", holder("a"), time.Minute)
				switch {
				case err == nil:
					err = m.Release(t.Context(), l)
				case errors.Is(err, lease.ErrHeld):
					err = nil
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range contenders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := etcdLeases(t, open(t, s.Addr())); n != 0 {
		t.Errorf("%d etcd leases are left of %d contenders", n, contenders)
	}
}

// A renewal for another length whose request is late must not take a lease back to the etcd lease that it brought along
// when that is about to end.
func TestALateRenewalForAnotherLengthChangesNothing(t *testing.T) {
	t.Parallel()
	var w wire
	m, peer := open(t, shared.Addr(), w.use), open(t, shared.Addr())
	l := grant(t, m, fresh("late renewal"), holder("a"), time.Minute)
	w.spoil("Txn", 0, true)
	if err := m.Renew(t.Context(), l, 2*time.Minute); err == nil || errors.Is(err, lease.ErrLost) {
		t.Fatalf("Renew without an answer = %v; want an error that is no refusal", err)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Fatal(err)
	}
	before, err := m.look(t.Context(), l.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.deliver(); err != nil {
		t.Fatal(err)
	}
	after, err := peer.find(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if before.id != after.id || after.ttl != time.Minute {
		t.Errorf("the late request moved the lease from %x to %x, for %v", before.id, after.id, after.ttl)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestARenewalForAnotherLengthWhoseAnswerIsLostCanBeRepeated(t *testing.T) {
	t.Parallel()
	var w wire
	m, peer := open(t, shared.Addr(), w.use), open(t, shared.Addr())
	l := grant(t, m, fresh("lost renewal"), holder("a"), time.Minute)
	w.spoil("Txn", 0, false)
	if err := m.Renew(t.Context(), l, 2*time.Minute); err == nil || errors.Is(err, lease.ErrLost) {
		t.Fatalf("Renew without an answer = %v; want an error that is no refusal", err)
	}
	if err := m.Renew(t.Context(), l, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if r, err := peer.Read(t.Context(), l.Key); err != nil || r.Lease != l || r.Remaining < 90*time.Second {
		t.Errorf("%+v, %v; want %+v for about two minutes", r, err, l)
	}
}

func TestAReleaseWhoseAnswerIsLostIsARelease(t *testing.T) {
	t.Parallel()
	var w wire
	m, peer := open(t, shared.Addr(), w.use), open(t, shared.Addr())
	l := grant(t, m, fresh("lost release"), holder("a"), time.Minute)
	w.spoil("Txn", 0, false)
	if err := m.Release(t.Context(), l); err == nil || errors.Is(err, lease.ErrLost) {
		t.Fatalf("Release without an answer = %v; want an error that is no refusal", err)
	}
	next := grant(t, peer, l.Key, holder("b"), time.Minute)
	if next.Term <= l.Term {
		t.Errorf("term %d after %d", next.Term, l.Term)
	}
	if err := m.Release(t.Context(), l); !errors.Is(err, lease.ErrLost) {
		t.Errorf("a repeated Release = %v; want ErrLost", err)
	}
}
