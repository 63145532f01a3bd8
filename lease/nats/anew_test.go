package nats

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/lease"
)

// before does something before each write, once.
type before struct {
	jetstream.JetStream
	do func()
}

func (b *before) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.JetStream.PublishMsg(ctx, m, o...)
}

// An acquisition names the age of the bucket that it has looked at. If it is written into a younger one, whose sequence
// begins again, the two do not make a term.
func TestATermRisesThoughTheBucketIsMadeAnewInTheMiddleOfTheAcquire(t *testing.T) {
	t.Parallel()
	s := serve(t)
	js := &before{JetStream: connect(t, s.Addr())}
	m, err := New(Config{JetStream: js, Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	var last lease.Term
	for range 5 {
		l := grant(t, m, "k", holder("a"), time.Minute)
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		last = l.Term
	}
	js.do = func() {
		if err := js.DeleteKeyValue(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateKeyValue(t.Context(), Bucket(bucket, 1)); err != nil {
			t.Fatal(err)
		}
	}
	l := grant(t, m, "another", holder("a"), time.Minute)
	if l.Term <= last {
		t.Errorf("R4: term %d after %d", l.Term, last)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
	refused(t, open(t, s.Addr()), l)
}
