//go:build linux

package s3

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestALeaseOutlivesAKilledServer(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := opened(t, s.Addr())
		l := granted(t, m, "k", alice, time.Minute)
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := m.Acquire(soon(t), "k", bob, time.Minute)
		wantHeld(t, "another stands after the restart", err)
		if err := m.Renew(soon(t), l, time.Minute); err != nil {
			t.Error(err)
		}
		if err := m.Release(soon(t), l); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if next := granted(t, opened(t, s.Addr()), "k", bob, time.Minute); next.Term <= l.Term {
			t.Errorf("R4: term %d after %d", next.Term, l.Term)
		}
	})
}

func TestALeaseRunsOutWhileTheServerHangs(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m, other := opened(t, s.Addr()), opened(t, s.Addr())
		l := granted(t, m, "k", alice, minTTL)
		_, err := other.Acquire(t.Context(), "k", bob, minTTL)
		wantHeld(t, "another stands", err)
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*minTTL)
		defer cancel()
		if err := m.Renew(ctx, l, minTTL); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want the end of the context", err)
		}
		if err := s.Resume(); err != nil { // the renewal may arrive now, and count
			t.Fatal(err)
		}
		var next lease.Lease
		contest.Eventually(t, "another is granted it", func() bool {
			next, err = other.Acquire(soon(t), "k", bob, time.Minute)
			return err == nil
		})
		wantLost(t, "the one that hung", m.Renew(soon(t), l, minTTL))
		if next.Term <= l.Term {
			t.Errorf("R4: term %d after %d", next.Term, l.Term)
		}
	})
}

// The client repeats by itself what it gets no answer to. What it wrote the first time is a conflict the second.
func TestAWriteWhoseAnswerIsLostIsRecognised(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		p := servers.TestProxy(t, s.Addr())
		m, direct := opened(t, p.Addr()), opened(t, s.Addr())
		l := granted(t, m, "k", alice, time.Minute) // the server is put to the test before answers are lost
		version := func() string {
			_, v, err := direct.bucket.Load(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		during := func(call func() error) {
			t.Helper()
			before := version()
			p.Set(servers.DropAnswers)
			got := make(chan error, 1)
			go func() { got <- call() }()
			contest.Eventually(t, "the server has written it, and nobody knows", func() bool { return version() != before })
			p.Set(servers.Pass) // resets the connection, so that the client asks again
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
		during(func() error { return m.Renew(soon(t), l, time.Minute) })
		during(func() error { return m.Release(soon(t), l) })
		var next lease.Lease
		granting := func() (err error) {
			// The record is read with the answers dropped, too; the client repeats that until it is answered.
			next, err = direct.Acquire(soon(t), "k", bob, time.Minute)
			return err
		}
		if err := granting(); err != nil || next.Term <= l.Term {
			t.Errorf("%+v, %v after term %d", next, err, l.Term)
		}
		wantLost(t, "the first holder", m.Renew(soon(t), l, time.Minute))
	})
}

func TestEveryRenewalChangesTheObject(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := opened(t, s.Addr())
		l := granted(t, m, "k", alice, time.Minute)
		seen := map[string]bool{}
		for range 5 {
			_, version, err := m.bucket.Load(t.Context(), "k")
			if err != nil || seen[version] {
				t.Fatalf("%v; version %s again, so that a contender would not see that the holder lives", err, version)
			}
			seen[version] = true
			if err := m.Renew(t.Context(), l, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTermsRiseThoughTheObjectIsGoneAndNobodyRemembers(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		last := lease.Term(0)
		for range 3 {
			m := opened(t, s.Addr())
			l := granted(t, m, "k", alice, time.Minute)
			if l.Term <= last || l.Term > lease.Term(time.Now().Add(time.Minute).UnixMicro()) {
				t.Errorf("R4: term %d after %d", l.Term, last)
			}
			last = l.Term
			erase(t, m, "k")
			wantLost(t, "what was deleted is renewed", m.Renew(t.Context(), l, time.Minute))
			time.Sleep(1100 * time.Millisecond) // the Date of an answer counts seconds
		}
	})
}

// A process that was suspended, or stood for nothing, knows only what the time was before.
func TestATermIsNotCountedFromTheTimeBeforeAnIdleHour(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		idle, busy := opened(t, s.Addr()), opened(t, s.Addr())
		granted(t, idle, "other", bob, time.Minute)
		time.Sleep(2100 * time.Millisecond) // an hour, in seconds of the Date of an answer
		last := granted(t, busy, "k", alice, time.Minute)
		erase(t, busy, "k")
		time.Sleep(1100 * time.Millisecond)
		if next := granted(t, idle, "k", bob, time.Minute); next.Term <= last.Term {
			t.Errorf("R4: term %d after %d", next.Term, last.Term)
		}
	})
}

func TestAnAbsurdClockOfTheServerIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := &bucket{}
	now := time.Now()
	b.heard(now)
	b.heard(now.Add(-time.Hour))
	b.heard(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	b.heard(time.Time{})
	if got := b.floor("k"); got != lease.Term(now.UnixMicro()) {
		t.Errorf("%d; want %d", got, now.UnixMicro())
	}
	if got := (&bucket{}).floor("k"); got != 0 {
		t.Errorf("%d before anything was heard", got)
	}
}

func TestManyFirstCallsPutTheServerToTheTestOnce(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := opened(t, s.Addr())
		done := make(chan error)
		const many = 8
		for i := range many {
			go func() {
				_, err := m.Acquire(soon(t), string(rune('a'+i)), alice, time.Minute)
				done <- err
			}()
		}
		for range many {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if !m.bucket.tested.Load() {
			t.Error("the server was not put to the test")
		}
	})
}
