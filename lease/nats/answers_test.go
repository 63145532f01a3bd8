package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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

// wire stands between a Manager and the real server, and spoils one write.
type wire struct {
	jetstream.JetStream
	spoil bool
	late  bool // the write is held back until deliver, instead of losing the answer
	held  func() error
}

var errLost = errors.New("the answer is lost")

func (w *wire) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if !w.spoil {
		return w.JetStream.PublishMsg(ctx, m, o...)
	}
	w.spoil = false
	if w.late {
		w.held = func() error {
			_, err := w.JetStream.PublishMsg(context.WithoutCancel(ctx), m, o...)
			return err
		}
		return nil, errLost
	}
	if ack, err := w.JetStream.PublishMsg(ctx, m, o...); err != nil {
		return ack, err
	}
	return nil, errLost
}

// wired returns a Manager whose writes go over the wire.
func wired(t *testing.T) (*Manager, *wire) {
	t.Helper()
	w := &wire{JetStream: connect(t, shared.Addr())}
	m, err := New(Config{JetStream: w, Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	return m, w
}

func TestAnAcquireWhoseAnswerIsLostIsRecognised(t *testing.T) {
	t.Parallel()
	m, w := wired(t)
	w.spoil = true
	l := grant(t, m, fresh("lost acquire"), holder("a"), time.Minute)
	refused(t, open(t, shared.Addr()), l)
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestALateAcquireComesToNothingOnceAnotherHasStood(t *testing.T) {
	t.Parallel()
	m, w := wired(t)
	peer := open(t, shared.Addr())
	for _, released := range []bool{false, true} {
		key := fresh("late acquire")
		w.spoil, w.late = true, true
		if _, err := m.Acquire(t.Context(), key, holder("a"), time.Minute); !errors.Is(err, errLost) {
			t.Fatalf("Acquire without an answer = %v", err)
		}
		l := grant(t, peer, key, holder("b"), time.Minute)
		if released {
			if err := peer.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.held(); err == nil {
			t.Error("the late request was carried out")
		}
		if r, err := peer.Read(t.Context(), key); err != nil || r.Vacant() != released {
			t.Errorf("%+v, %v; the late request changed something", r, err)
		}
	}
}

func TestALateOrLostRenewalChangesNothingThatALaterOneHasDone(t *testing.T) {
	t.Parallel()
	m, w := wired(t)
	peer := open(t, shared.Addr())
	for _, late := range []bool{false, true} {
		l := grant(t, m, fresh("renewal"), holder("a"), time.Minute)
		w.spoil, w.late = true, late
		if err := m.Renew(t.Context(), l, time.Second); !errors.Is(err, errLost) {
			t.Fatalf("Renew without an answer = %v", err)
		}
		if err := m.Renew(t.Context(), l, 2*time.Minute); err != nil {
			t.Fatal(err)
		}
		if late {
			if err := w.held(); err == nil {
				t.Error("the late request was carried out")
			}
		}
		if r, err := peer.Read(t.Context(), l.Key); err != nil || r.Lease != l || r.Remaining < time.Minute {
			t.Errorf("%+v, %v; want %+v for about two minutes", r, err, l)
		}
	}
}

func TestAReleaseWhoseAnswerIsLostIsARelease(t *testing.T) {
	t.Parallel()
	m, w := wired(t)
	peer := open(t, shared.Addr())
	l := grant(t, m, fresh("lost release"), holder("a"), time.Minute)
	w.spoil = true
	if err := m.Release(t.Context(), l); !errors.Is(err, errLost) {
		t.Fatalf("Release without an answer = %v", err)
	}
	if r, err := peer.Read(t.Context(), l.Key); err != nil || r.Term != l.Term || !r.Vacant() {
		t.Errorf("%+v, %v; want nobody and the last term, %d", r, err, l.Term)
	}
	next := grant(t, peer, l.Key, holder("b"), time.Minute)
	if next.Term <= l.Term {
		t.Errorf("term %d after %d", next.Term, l.Term)
	}
	if err := m.Release(t.Context(), l); !errors.Is(err, lease.ErrLost) {
		t.Errorf("a repeated Release = %v; want ErrLost", err)
	}
}
