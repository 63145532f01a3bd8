//go:build linux

package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// cluster starts n servers that share the slots.
func cluster(t *testing.T, n int) []*servers.Server {
	t.Helper()
	all := make([]*servers.Server, n)
	for i := range all {
		all[i] = servers.Test(t, servers.RedisCluster())
		do(t, all[i].Addr(), "CLUSTER", "ADDSLOTSRANGE", i*16384/n, (i+1)*16384/n-1)
		do(t, all[i].Addr(), "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			do(t, all[i].Addr(), "CLUSTER", "MEET", "127.0.0.1", all[0].Ports[0], all[0].Ports[1])
		}
	}
	contest.Eventually(t, "the servers know each other", func() bool {
		for _, s := range all {
			info := do(t, s.Addr(), "CLUSTER", "INFO").(string)
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n)) {
				return false
			}
		}
		return true
	})
	return all
}

func TestAClusterIsAStoreForKeysOfAllSlots(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3)
	client := func() *goredis.ClusterClient {
		c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{all[0].Addr()}})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	m, watcher := open(t, Config{Client: client()}), open(t, Config{Client: client(), Poll: time.Hour})
	ears := map[string]*ear{}
	keys := []string{"a", "b", "c", "d", "e", "f", "}{", "{x}y", "{", "%7B"}
	for _, key := range keys {
		ears[key] = hear(t, watcher, key)
	}
	contest.Eventually(t, "it is subscribed", func() bool {
		return subscribers(t, all[0].Addr())+subscribers(t, all[1].Addr())+subscribers(t, all[2].Addr()) == 1
	})
	for _, key := range keys {
		l := granted(t, m, key, alice, time.Minute)
		_, err := m.Acquire(t.Context(), key, bob, time.Minute)
		wantHeld(t, "another", err)
		ears[key].hears(t, "the grant of "+key, func(r lease.Record) bool { return r.Lease == l })
		if err := errors.Join(m.Renew(t.Context(), l, time.Minute), m.Release(t.Context(), l)); err != nil {
			t.Fatal(err)
		}
		ears[key].hears(t, "the release of "+key, lease.Record.Vacant)
	}
	used := 0
	for _, s := range all {
		if do(t, s.Addr(), "DBSIZE").(int64) > 0 {
			used++
		}
	}
	if used != len(all) {
		t.Errorf("%d of %d servers have records", used, len(all))
	}
}

// The rights that docs/stores/redis.md adds for a cluster, and for replicas.
func TestTheRightsInAClusterAreEnough(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2)
	for _, s := range all {
		rights(t, s.Addr(), least(t), "+cluster|slots", "+cluster|shards", "+command", "+wait")
	}
	for _, replicas := range []int{0, 1} {
		c := goredis.NewClusterClient(&goredis.ClusterOptions{
			Addrs: []string{all[0].Addr()}, Username: "tenure", Password: "s3cret", ReadTimeout: time.Second,
		})
		t.Cleanup(func() { _ = c.Close() })
		m := open(t, Config{Client: c, Replicas: replicas})
		for _, key := range []string{"a", "b", "c", "d"} {
			_, err := m.Acquire(t.Context(), key, alice, time.Minute)
			if err != nil && !(replicas == 1 && strings.Contains(err.Error(), "0 of 1 replicas")) {
				t.Errorf("%q, %d replicas: %v", key, replicas, err)
			}
		}
	}
}

func TestARecordIsInTheSlotOfItsKeyInBraces(t *testing.T) {
	t.Parallel()
	s := cluster(t, 1)[0]
	m := opened(t, s.Addr())
	slots := map[any]string{}
	for _, key := range []string{"a", "b", "billing/eu", "}", "{", "{}", "{a}", "x{a}", "a}b", "%", "%7B"} {
		record := m.Record(key)
		slot := do(t, s.Addr(), "CLUSTER", "KEYSLOT", record)
		tag := record[strings.IndexByte(record, '{'):]
		if own := do(t, s.Addr(), "CLUSTER", "KEYSLOT", "ledger:"+tag+":rows"); own != slot {
			t.Errorf("%q is in slot %v and what the caller keeps beside it in %v", record, slot, own)
		}
		if other, taken := slots[slot]; taken {
			t.Errorf("%q and %q share a slot: the braces are not read as meant", key, other)
		}
		slots[slot] = key
		l := granted(t, m, key, alice, time.Minute) // a plain client will do for a cluster of one
		if err := m.Release(t.Context(), l); err != nil {
			t.Error(err)
		}
	}
}

func TestAPlainClientOfAClusterIsToldWhatToUse(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2)
	m := opened(t, all[0].Addr())
	refused := 0
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if _, err := m.Acquire(t.Context(), key, alice, time.Minute); err != nil {
			refused++
			if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "ClusterClient") {
				t.Error(err)
			}
		}
	}
	if refused == 0 {
		t.Error("no key was of the other server")
	}
}

func TestAGrantThatTooFewReplicasHaveDoesNotCount(t *testing.T) {
	t.Parallel()
	s, replica := servers.Test(t, servers.Redis()), servers.Test(t, servers.Redis())
	m := open(t, Config{Client: connect(t, s.Addr()), Replicas: 1})
	_, err := m.Acquire(t.Context(), "k", alice, time.Minute)
	if _, refused := lease.Refusal(err); err == nil || refused || errors.Is(err, lease.ErrPermanent) ||
		!strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Fatalf("%v; want a fault that passes", err)
	}
	do(t, replica.Addr(), "REPLICAOF", "127.0.0.1", s.Ports[0])
	var l lease.Lease
	contest.Eventually(t, "the replica follows", func() bool {
		l, err = m.Acquire(t.Context(), "k", alice, time.Minute)
		return err == nil
	})
	if got := do(t, replica.Addr(), "HGET", m.Record("k"), "term"); got != l.Term.String() {
		t.Errorf("the replica has term %v; granted was %d", got, l.Term)
	}
	_, err = m.Acquire(t.Context(), "k", bob, time.Minute)
	wantHeld(t, "another", err)
	renewed := func() bool { return m.Renew(t.Context(), l, time.Minute) == nil }
	contest.Eventually(t, "the replica has the renewal in time", renewed)
	if err := m.Release(t.Context(), l); err != nil {
		t.Error(err)
	}
	replica.Kill()
	s.Kill()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(soon(t), l, time.Minute); err == nil {
		t.Error("renewed without the record and without a replica")
	}
}

func TestAClusterWaitsForTheReplicasOfTheSlot(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2)
	c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{all[0].Addr()}, ReadTimeout: time.Second})
	t.Cleanup(func() { _ = c.Close() })
	m := open(t, Config{Client: c, Replicas: 1})
	for _, key := range []string{"a", "b", "c", "d"} {
		_, err := m.Acquire(t.Context(), key, alice, time.Minute)
		if err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
			t.Errorf("%q: %v", key, err)
		}
		if r, err := m.Read(t.Context(), key); err != nil || r.Holder != alice {
			t.Errorf("%q: %+v, %v; the server of its slot has been asked", key, r, err)
		}
	}
}

func TestAReplicaThatTookOverKeepsTheTermsRising(t *testing.T) {
	t.Parallel()
	s, replica := servers.Test(t, servers.Redis()), servers.Test(t, servers.Redis())
	before, after := opened(t, s.Addr()), opened(t, replica.Addr())
	do(t, replica.Addr(), "REPLICAOF", "127.0.0.1", s.Ports[0])
	first := granted(t, before, "k", alice, time.Minute)
	contest.Eventually(t, "the replica has it", func() bool {
		return do(t, replica.Addr(), "HGET", after.Record("k"), "term") == first.Term.String()
	})
	do(t, replica.Addr(), "REPLICAOF", "NO", "ONE") // from here on nothing is copied
	if err := before.Release(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	lostGrant := granted(t, before, "k", bob, time.Minute)
	s.Kill()
	_, err := after.Acquire(t.Context(), "k", bob, time.Minute)
	wantHeld(t, "the replica knows the first holder only", err)
	wantLost(t, "a grant that was not copied", after.Renew(t.Context(), lostGrant, time.Minute))
	if next := granted(t, after, "k", alice, time.Minute); next.Term <= lostGrant.Term {
		t.Errorf("R4: term %d after %d, which the replica has not seen", next.Term, lostGrant.Term)
	}
}

// A slot that is given to another server is nobody's mistake.
func TestAClusterThatMovesASlotIsFollowed(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2)
	c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{all[0].Addr()}, ReadTimeout: time.Second})
	t.Cleanup(func() { _ = c.Close() })
	m := open(t, Config{Client: c, Replicas: 1})
	slot := do(t, all[0].Addr(), "CLUSTER", "KEYSLOT", m.Record("k")).(int64)
	acquire := func() error {
		_, err := m.Acquire(t.Context(), "k", alice, time.Minute)
		return err
	}
	if err := acquire(); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Fatal(err)
	}
	from, to := all[0], all[1]
	if slot >= 8192 {
		from, to = to, from
	}
	do(t, from.Addr(), "DEL", m.Record("k"))
	id := do(t, to.Addr(), "CLUSTER", "MYID")
	for _, s := range []*servers.Server{to, from} {
		do(t, s.Addr(), "CLUSTER", "SETSLOT", slot, "NODE", id)
	}
	contest.Eventually(t, "the other server is asked", func() bool {
		err := acquire()
		if errors.Is(err, lease.ErrPermanent) {
			t.Fatalf("%v; want an error that passes", err)
		}
		return strings.Contains(err.Error(), "0 of 1 replicas")
	})
	if n := do(t, to.Addr(), "EXISTS", m.Record("k")); n != int64(1) {
		t.Errorf("the record is not there: %v", n)
	}
}
