package nats

import (
	"fmt"
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

func TestAWatchSurvivesTheConnectionAndTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := servers.TestProxy(t, s.Addr())
	m, peer := open(t, p.Addr()), open(t, s.Addr())
	last := newest(t, m, "watched")
	l := grant(t, peer, "watched", holder("a"), time.Minute)
	tells(t, last, l)
	other := newest(t, m, "another") // read while the watch is under way
	lo := grant(t, peer, "another", holder("b"), time.Minute)
	tells(t, other, lo)
	p.Set(servers.Reset)
	for range 10 {
		l = grant(t, peer, "watched", l.Holder, time.Minute)
	}
	if err := deleteByHand(t.Context(), peer, "another"); err != nil {
		t.Fatal(err)
	}
	p.Set(servers.Pass)
	tells(t, last, l)
	tells(t, other, vacated(lo))
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "it is released after the restart", func() bool { return peer.Release(t.Context(), l) == nil })
	tells(t, last, vacated(l))
}

func TestAWatchTellsOfALeaseThatRunsOut(t *testing.T) {
	t.Parallel()
	m, peer := open(t, shared.Addr()), open(t, shared.Addr())
	l := grant(t, peer, fresh("runs out"), holder("a"), time.Second)
	last := newest(t, m, l.Key)
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
	tells(t, last, l)
	next := grant(t, peer, l.Key, l.Holder, time.Minute)
	tells(t, last, next)
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times; want of two grants", n)
	}
}

func TestAWatchGoesOnInABucketThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := serve(t)
	m, peer := open(t, s.Addr()), open(t, s.Addr())
	m.checkEvery = 50 * time.Millisecond
	last := newest(t, m, "watched")
	l := grant(t, peer, "watched", holder("a"), time.Minute)
	for range 10 {
		l = grant(t, peer, "watched", l.Holder, time.Minute)
	}
	tells(t, last, l)
	if err := peer.js.DeleteKeyValue(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	if err := makeBucket(t.Context(), s, Bucket(bucket, 1)); err != nil {
		t.Fatal(err)
	}
	l = grant(t, peer, "watched", l.Holder, time.Minute)
	tells(t, last, l)
	if err := peer.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	tells(t, last, vacated(l))
}

// Whoever was granted a lease that was deleted before the watch began has to hear of it.
func TestAWatchTellsThatNobodyIsThere(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	l := grant(t, m, fresh("nobody"), holder("a"), time.Minute)
	if err := deleteByHand(t.Context(), m, l.Key); err != nil {
		t.Fatal(err)
	}
	tells(t, newest(t, m, l.Key), lease.Lease{Key: l.Key})
}

func TestAWatchEndsThoughTheServerHangs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	m := open(t, s.Addr())
	l := grant(t, m, "k", holder("a"), time.Minute)
	told := make(chan struct{}, 10)
	stop, err := m.Watch(l.Key, func(lease.Record) { told <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	<-told
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("stop took %v", took)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
}

// Whoever damaged it may mend it, and then there is something to tell.
func TestAWatchGoesOnAfterARecordThatCouldNotBeRead(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	b, err := m.js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	key := fresh("damaged")
	if _, err := b.PutString(t.Context(), escape(key), "{"); err != nil {
		t.Fatal(err)
	}
	watcher := open(t, shared.Addr())
	last := newest(t, watcher, key)
	other := fresh("not damaged") // once this is told, the damaged one has been looked at
	tells(t, newest(t, watcher, other), lease.Lease{Key: other})
	if r := last.Load(); r != nil {
		t.Errorf("the watch tells of %+v, which nobody wrote", *r)
	}
	if err := b.Purge(t.Context(), escape(key)); err != nil {
		t.Fatal(err)
	}
	tells(t, last, grant(t, m, key, holder("a"), time.Minute))
}
