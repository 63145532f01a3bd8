package etcd

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// newest keeps what a watch has told last.
func newest(t *testing.T, m *Manager, key string) *atomic.Pointer[lease.Record] {
	t.Helper()
	var last atomic.Pointer[lease.Record]
	stop, err := m.Watch(key, func(r lease.Record) { last.Store(&r) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &last
}

func tells(t *testing.T, last *atomic.Pointer[lease.Record], want lease.Lease) {
	t.Helper()
	contest.Eventually(t, fmt.Sprintf("the watch tells of %+v", want), func() bool {
		r := last.Load()
		return r != nil && r.Lease == want
	})
}

// vacated is what a watch tells when l is over: nobody, under the last term.
func vacated(l lease.Lease) lease.Lease { return lease.Lease{Key: l.Key, Term: l.Term} }

func TestAWatchSurvivesTheServerAndTheCompactionOfItsPast(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	p := servers.TestProxy(t, s.Addr())
	m, peer := open(t, p.Addr()), open(t, s.Addr())
	last := newest(t, m, "watched")
	l := grant(t, peer, "watched", holder("a"), time.Minute)
	tells(t, last, l)
	other := newest(t, m, "another") // read while the watch is under way
	lo := grant(t, peer, "another", holder("b"), time.Minute)
	tells(t, other, lo)

	p.Set(servers.Reset)
	if err := peer.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	var end lease.Lease
	for range 10 {
		end = grant(t, peer, "watched", l.Holder, time.Minute)
	}
	if _, err := peer.client.Compact(t.Context(), int64(end.Term)); err != nil {
		t.Fatal(err)
	}
	if err := deleteDir(t.Context(), peer, "another"); err != nil {
		t.Fatal(err)
	}
	p.Set(servers.Pass)
	tells(t, last, end)
	tells(t, other, vacated(lo))

	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	tells(t, last, end)
	if err := peer.Release(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	tells(t, last, vacated(end))
}

func TestAWatchTellsOfALeaseThatRunsOut(t *testing.T) {
	t.Parallel()
	m, peer := open(t, shared.Addr()), open(t, shared.Addr())
	l := grant(t, peer, fresh("runs out"), holder("a"), time.Second)
	last := newest(t, m, l.Key)
	tells(t, last, l)
	tells(t, last, vacated(l))
}

func TestARenewalIsNoNews(t *testing.T) {
	t.Parallel()
	m, peer := open(t, shared.Addr()), open(t, shared.Addr())
	l := grant(t, peer, fresh("no news"), holder("a"), time.Minute)
	var told atomic.Int32
	stop, err := m.Watch(l.Key, func(lease.Record) { told.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for i := range 6 {
		if err := peer.Renew(t.Context(), l, time.Duration(1+i%2)*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	last := newest(t, m, l.Key)
	next := grant(t, peer, l.Key, l.Holder, time.Minute)
	tells(t, last, next)
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times; want of two grants", n)
	}
}

func TestManyKeysAreWatchedOverOneStream(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	m, peer := open(t, s.Addr()), open(t, s.Addr())
	const many = 3*batch + 1
	var lasts []*atomic.Pointer[lease.Record]
	var leases []lease.Lease
	for i := range many {
		key := fmt.Sprint("key ", i)
		if i%2 == 0 {
			leases = append(leases, grant(t, peer, key, holder("a"), time.Minute))
		}
		lasts = append(lasts, newest(t, m, key))
		if i%2 != 0 {
			leases = append(leases, grant(t, peer, key, holder("a"), time.Minute))
		}
	}
	for i, l := range leases {
		tells(t, lasts[i], l)
	}
	text := metrics(t, s)
	if n := text["etcd_debugging_mvcc_watcher_total"]; n != "1" {
		t.Errorf("the server has %s watchers for %d keys; want one", n, many)
	}
}

// metrics returns what the server says of itself.
func metrics(t *testing.T, s *servers.Server) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all := map[string]string{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			all[name] = value
		}
	}
	return all
}

// Whoever was granted a lease that was deleted before the watch began has to hear of it.
func TestAWatchTellsThatNobodyIsThere(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	l := grant(t, m, fresh("nobody"), holder("a"), time.Minute)
	if err := deleteDir(t.Context(), m, l.Key); err != nil {
		t.Fatal(err)
	}
	tells(t, newest(t, m, l.Key), lease.Lease{Key: l.Key})
}

// That something is there which cannot be read does not mean that nobody is there.
func TestAWatchPassesOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	m, key, other := open(t, shared.Addr()), fresh("damaged"), fresh("not damaged")
	if _, err := m.client.Put(t.Context(), m.dir(key)+"x", "{"); err != nil {
		t.Fatal(err)
	}
	watcher := open(t, shared.Addr())
	last := newest(t, watcher, key)
	tells(t, newest(t, watcher, other), lease.Lease{Key: other}) // by then the damaged one has been looked at
	if r := last.Load(); r != nil {
		t.Errorf("the watch tells of %+v, which nobody wrote", *r)
	}
	if err := deleteDir(t.Context(), m, key); err != nil {
		t.Fatal(err)
	}
	tells(t, last, grant(t, m, key, holder("a"), time.Minute))
}
