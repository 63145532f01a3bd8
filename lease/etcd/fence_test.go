package etcd

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/lease"
)

func TestAFencedTransactionIsTheLeadersOrNobodys(t *testing.T) {
	t.Parallel()
	m, peer := open(t, shared.Addr()), open(t, shared.Addr())
	write := func(l lease.Lease, who *Manager) bool {
		t.Helper()
		resp, err := who.client.Txn(t.Context()).If(who.IfHeld(l)).Then(clientv3.OpPut("ledger", "entry")).Commit()
		if err != nil {
			t.Fatal(err)
		}
		return resp.Succeeded
	}
	expect := func(l lease.Lease, want bool, when string) {
		t.Helper()
		if write(l, m) != want || write(l, peer) != want {
			t.Errorf("a write under term %d is carried out: %v; want %v: %s", l.Term, !want, want, when)
		}
	}
	name := fresh("fenced")
	key := name + "/key"
	a := grant(t, m, key, holder("a"), time.Minute)
	near := grant(t, m, name, holder("b"), time.Minute) // whose name begins like it
	expect(a, true, "it is held")
	if err := m.Renew(t.Context(), a, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	expect(a, true, "it is renewed for longer")
	again := grant(t, m, key, a.Holder, time.Minute)
	expect(a, false, "its holder has a new term")
	expect(again, true, "it is held")
	if err := m.Release(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	expect(again, false, "it is released")
	b := grant(t, peer, key, holder("b"), time.Second)
	expect(again, false, "another holds it")
	expect(b, true, "it is held, unless this machine stood still for a second")
	contest.Eventually(t, "a lease that ran out is no longer held", func() bool { return !write(b, m) })
	c := grant(t, peer, key, holder("c"), time.Minute)
	if err := deleteDir(t.Context(), m, key); err != nil {
		t.Fatal(err)
	}
	expect(c, false, "it was deleted by hand")
	expect(near, true, "it is held")
	expect(lease.Lease{Key: key, Term: near.Term}, false, "the term is of another key")
}
