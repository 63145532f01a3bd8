package nats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// A user who may not watch is told so once; what happens later has other reasons.
func TestAPermissionThatWasMissingBeforeIsNotTheReasonForWhatHappensLater(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nats.conf")
	text := strings.ReplaceAll(rights, `"$JS.API.CONSUMER.CREATE.KV_leases.>", `, "")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := servers.Test(t, servers.NATS("--config="+file))
	root := connect(t, s.Addr(), nats.UserInfo("root", "root"))
	if _, err := root.CreateKeyValue(t.Context(), Bucket(bucket, 1)); err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 10)
	m := open(t, s.Addr(), nats.UserInfo("may", "secret"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { told <- struct{}{} }))
	stop, err := m.Watch("k", func(lease.Record) {})
	if err != nil {
		t.Fatal(err)
	}
	<-told
	stop()
	l := grant(t, m, "k", holder("a"), time.Minute)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := m.Renew(ctx, l, time.Minute); err == nil || errors.Is(err, lease.ErrPermanent) {
		t.Errorf("Renew of a server that hangs = %v; want an error that is not permanent", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
}

func TestAWrongPasswordIsPermanentAndNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(rights), 0o600); err != nil {
		t.Fatal(err)
	}
	s := servers.Test(t, servers.NATS("--config="+file))
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	for _, o := range [][]nats.Option{{quiet}, {quiet, nats.IgnoreAuthErrorAbort()}} {
		m := open(t, s.Addr(), append(o, nats.UserInfo("may", "wrong-secret"))...)
		contest.Eventually(t, "the error is permanent and says what to do", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := m.Acquire(ctx, "k", holder("a"), time.Minute)
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Fatalf("%v gives the password away", err)
			}
			return errors.Is(err, lease.ErrPermanent) && strings.Contains(err.Error(), "the user or the password")
		})
	}
}

// Tools for buckets write without a time to live.
func TestALeaseThatWouldNeverEndIsReported(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	l := grant(t, m, fresh("endless"), holder("a"), time.Minute)
	b, err := m.js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Get(t.Context(), escape(l.Key))
	if err != nil {
		t.Fatal(err)
	}
	var copied struct{ message }
	if copied.message, err = decode(l.Key, e.Value()); err != nil {
		t.Fatal(err)
	}
	copied.Term = uint64(l.Term)
	if _, err := b.Put(t.Context(), escape(l.Key), encode(copied.message)); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, shared.Addr()).Acquire(t.Context(), l.Key, holder("b"), time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "no time to live") {
		t.Errorf("Acquire of a lease that never ends = %v; want a permanent error that says so", err)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Errorf("its holder cannot renew it any more: %v", err)
	}
	refused(t, open(t, shared.Addr()), l)
}
