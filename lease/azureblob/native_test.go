//go:build linux

package azureblob

import (
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azlease "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

const ttl = 15 * time.Second

// byHand is a client for the lease of the blob of key, as other programs have it.
func byHand(t *testing.T, m *Manager, id *string) *azlease.BlobClient {
	t.Helper()
	c, err := azlease.NewBlobClient(m.e.(*native).blob(key), &azlease.BlobClientOptions{LeaseID: id})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vacant makes the blob of key, with a first term that has been given back.
func vacant(t *testing.T, m *Manager) lease.Lease {
	t.Helper()
	l := acquire(t, m, bob, ttl)
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestABrokenLeaseEndsTheTenureAndItsTerm(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	for name, c := range map[string]struct {
		period *int32
		wait   bool // until the lease would have ended
	}{"as az storage blob lease break does it": {nil, true}, "at once": {to.Ptr(int32(0)), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := open(t, Config{Container: client(t, s.Addr(), "leases"), Prefix: lease.NewIncarnation()})
			sent := time.Now()
			l := acquire(t, m, alice, ttl)
			_, err := byHand(t, m, nil).BreakLease(t.Context(), &azlease.BlobBreakOptions{BreakPeriod: c.period})
			if err != nil {
				t.Fatal(err)
			}
			lost(t, m.Renew(t.Context(), l, ttl), lease.Holder{})
			lost(t, m.Renew(t.Context(), l, 2*ttl), lease.Holder{})
			if r, err := m.Read(t.Context(), key); err != nil || r.Vacant() == c.wait {
				t.Errorf("it reads %+v, %v", r, err)
			}
			next := await(t, m, bob, ttl)
			if early := ttl - time.Since(sent); c.wait && early > time.Second/2 {
				t.Errorf("it was granted to another %v early", early)
			}
			if next.Term <= l.Term {
				t.Errorf("term %d follows %d", next.Term, l.Term)
			}
			lost(t, m.Renew(t.Context(), l, ttl), bob)
			lost(t, m.Release(t.Context(), l), bob)
			if err := m.Renew(t.Context(), next, ttl); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHolderThatDiedBetweenItsLeaseAndItsTermHasUsedNoTerm(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	m := open(t, Config{Container: client(t, s.Addr(), "leases")})
	before := vacant(t, m)
	n := m.e.(*native)
	seen, err := n.look(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	half := id(key, alice, before.Term+1)
	if _, err := byHand(t, m, &half).AcquireLease(t.Context(), 15, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
		t.Fatalf("by another: %v", err)
	}
	if r, err := m.Read(t.Context(), key); err != nil || r.Term != before.Term || !r.Holder.IsZero() {
		t.Errorf("it reads %+v, %v", r, err)
	}
	next := await(t, m, bob, ttl)
	if next.Term != before.Term+1 {
		t.Errorf("term %d follows %d and none that was used", next.Term, before.Term)
	}
	// Now the one that seemed dead makes its third step.
	_, err = n.write(t.Context(), key, half, seen.etag, register.Body{Holder: alice, Term: next.Term, TTL: ttl})
	if !refused(err) && !changed(err) {
		t.Errorf("it wrote into another's lease: %v", err)
	}
	_, err = n.write(t.Context(), key, half, "", register.Body{Holder: alice, Term: next.Term, TTL: ttl})
	if !refused(err) {
		t.Errorf("it wrote under a lease that is not its own: %v", err)
	}
	if _, err := byHand(t, m, &half).RenewLease(t.Context(), nil); !refused(err) {
		t.Errorf("it renewed a lease that is not its own: %v", err)
	}
}

func TestAHolderThatComesAgainFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	m := open(t, Config{Container: client(t, s.Addr(), "leases")})
	before := vacant(t, m)
	half := id(key, alice, before.Term+1)
	if _, err := byHand(t, m, &half).AcquireLease(t.Context(), 15, nil); err != nil {
		t.Fatal(err)
	}
	l := acquire(t, m, alice, ttl)
	// A change of the id whose answer was lost, before the term was written.
	next := id(key, alice, l.Term+1)
	mine := id(key, alice, l.Term)
	if _, err := byHand(t, m, &mine).ChangeLease(t.Context(), next, nil); err != nil {
		t.Fatal(err)
	}
	lost(t, m.Renew(t.Context(), l, ttl), lease.Holder{})
	again := acquire(t, m, alice, ttl)
	if again.Term <= l.Term {
		t.Errorf("term %d follows %d", again.Term, l.Term)
	}
	// A release that was not completed is no obstacle to its holder, and can be completed.
	mine = id(key, alice, again.Term)
	if _, err := m.e.(*native).write(t.Context(), key, mine, "", register.Body{Term: again.Term}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("by another: %v", err)
	}
	last := acquire(t, m, alice, ttl)
	if last.Term <= again.Term {
		t.Errorf("term %d follows %d", last.Term, again.Term)
	}
	for range 2 {
		if err := m.Release(t.Context(), last); err != nil {
			t.Error(err)
		}
	}
	lost(t, m.Release(t.Context(), again), lease.Holder{})
	acquire(t, m, bob, ttl)
}

func TestALeaseThatRanOutIsRenewedIfNobodyTookItAndForAnotherLength(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	m := open(t, Config{Container: client(t, s.Addr(), "leases")})
	l := acquire(t, m, alice, ttl)
	time.Sleep(ttl + 2*time.Second)
	if r, err := m.Read(t.Context(), key); err != nil || !r.Vacant() || r.Term != l.Term {
		t.Errorf("it reads %+v, %v", r, err)
	}
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), l, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if err := m.Renew(t.Context(), l, 20*time.Second); err != nil { // one request, for the new length
		t.Fatal(err)
	}
	await(t, m, bob, ttl)
	if early := 20*time.Second - time.Since(sent); early > time.Second/2 {
		t.Errorf("it was granted to another %v early", early)
	}
	lost(t, m.Renew(t.Context(), l, ttl), bob)
}
