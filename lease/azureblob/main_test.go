//go:build linux

package azureblob

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// Most tests wait for leases of 15 s to run out, so many wait at once; -parallel on the command line counts more.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "64")
	goleak.VerifyTestMain(m)
}

const key = "billing"

var (
	alice = lease.Holder{Name: "alice", Incarnation: "a1", Meta: `"http://alice/é/😀"`}
	bob   = lease.Holder{Name: "bob", Incarnation: "b1"}
)

// client returns a client for a container of the emulator, by a server or a proxy at addr.
func client(t leasetest.TB, addr, name string) *container.Client {
	t.Helper()
	return clientWith(t, addr, name, servers.AzuriteKey)
}

func clientWith(t leasetest.TB, addr, name, secret string) *container.Client {
	t.Helper()
	credential, err := container.NewSharedKeyCredential(servers.AzuriteAccount, secret)
	if err != nil {
		t.Fatalf("%v", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := container.NewClientWithSharedKeyCredential("http://"+addr+"/"+servers.AzuriteAccount+"/"+name, credential,
		&container.ClientOptions{ClientOptions: azcore.ClientOptions{
			Transport: &http.Client{Transport: transport},
			Retry:     policy.RetryOptions{RetryDelay: 10 * time.Millisecond, MaxRetryDelay: 50 * time.Millisecond},
		}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

func open(t leasetest.TB, c Config) *Manager {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

func acquire(t leasetest.TB, m *Manager, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

// await takes the lease as soon as it is free.
func await(t leasetest.TB, m *Manager, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		l, err := m.Acquire(t.Context(), key, h, ttl)
		if err == nil {
			return l
		}
		if !errors.Is(err, lease.ErrHeld) || time.Now().After(end) {
			t.Fatalf("%v", err)
		}
	}
}

// permanent fails unless err needs attention and says all of parts, in one line.
func permanent(t *testing.T, err error, parts ...string) {
	t.Helper()
	if _, refusal := lease.Refusal(err); refusal || !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("%v is not marked as needing attention", err)
		return
	}
	for _, part := range append(parts, key) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("it has a line break: %q", err)
	}
}

func unknown(t *testing.T, what string, err error) {
	t.Helper()
	if _, refusal := lease.Refusal(err); err == nil || refusal || errors.Is(err, lease.ErrPermanent) {
		t.Errorf("%s: %v; want an error that leaves the outcome unknown", what, err)
	}
}

// lost fails unless err is a refusal because the lease is l no longer.
func lost(t *testing.T, err error, holder lease.Holder) {
	t.Helper()
	record, ok := lease.Refusal(err)
	if !ok || !errors.Is(err, lease.ErrLost) || record.Holder != holder {
		t.Errorf("%v with %+v; want ErrLost, held by %s", err, record, holder)
	}
}

// short bounds a call that cannot succeed.
func short(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
