//go:build linux && apiserver

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// cluster is an API server and its etcd, shared by the tests that do not break it.
type cluster struct{ etcd, api *servers.Server }

var shared cluster

// withServer runs all tests, beside an API server.
type withServer struct{ m *testing.M }

func (w withServer) Run() int {
	err := shared.start()
	code := 1
	if err == nil {
		code = w.m.Run()
	}
	if err := errors.Join(err, shared.stop()); err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

func (c *cluster) start() (err error) {
	if c.etcd, err = servers.Start(context.Background(), servers.Etcd()); err != nil {
		return err
	}
	c.api, err = servers.Start(context.Background(), servers.KubeAPIServer("http://"+c.etcd.Addr()))
	return err
}

func (c *cluster) stop() (err error) {
	for _, s := range []*servers.Server{c.api, c.etcd} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// fragile returns a cluster that the test may break.
func fragile(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// as returns a client that presents token at addr, which may be a proxy's.
func (c *cluster) as(t servers.TB, token, addr string) *HTTP {
	t.Helper()
	file, err := tokenFile(t, token)
	if err != nil {
		t.Fatalf("%v", err)
	}
	h, err := NewHTTP("https://"+addr, "default", servers.KubeCA(c.api.Instance), file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(h.Client.CloseIdleConnections)
	return h
}

func tokenFile(t servers.TB, token string) (string, error) {
	dir, err := os.MkdirTemp("", "tenure-token-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "token")
	return file, os.WriteFile(file, []byte(token+"\n"), 0o600)
}

func (c *cluster) admin(t servers.TB) *HTTP {
	t.Helper()
	return c.as(t, servers.KubeAdmin, c.api.Addr())
}

func manager(t servers.TB, c Client) *Manager {
	t.Helper()
	m, err := New(Config{Client: c})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

func (c *cluster) delete(t servers.TB, key string) {
	t.Helper()
	path := "/apis/coordination.k8s.io/v1/namespaces/default/leases/" + LeaseName(key)
	if err := servers.KubeDo(t.Context(), c.api.Instance, http.MethodDelete, path, ""); err != nil {
		t.Fatalf("%v", err)
	}
}

func acquired(t *testing.T, m *Manager, key, name string) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, holder(name), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func holder(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: lease.NewIncarnation(), Meta: "http://10.0.0.1/" + name}
}

func TestALeaseOfARealAPIServerIsALease(t *testing.T) {
	open := func(t leasetest.TB) lease.Manager { return manager(t, shared.admin(t)) }
	leasetest.Run(t, leasetest.Config{
		New:    open,
		Peer:   func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		Reopen: func(t leasetest.TB, _ lease.Manager) lease.Manager { return open(t) },
		Erase:  func(t leasetest.TB, _ lease.Manager, key string) { shared.delete(t, key) },
		Late:   6 * time.Second,
	})
}

func TestPeopleSeeWhoHoldsALease(t *testing.T) {
	h := holder("node-a")
	m := manager(t, shared.admin(t))
	if _, err := m.Acquire(t.Context(), "seen", h, time.Minute); err != nil {
		t.Fatal(err)
	}
	client, err := servers.KubeClient(shared.api.Instance)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://"+shared.api.Addr()+"/apis/coordination.k8s.io/v1/namespaces/default/leases/seen", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+servers.KubeAdmin)
	req.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io") // what kubectl get prints
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), `"cells":["seen","node-a_`+h.Incarnation+`",`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestALeaseThatIsDeletedIsLostAndTheNextTermIsGreater(t *testing.T) {
	a, b := manager(t, shared.admin(t)), manager(t, shared.admin(t))
	l := acquired(t, a, "deleted", "a")
	shared.delete(t, "deleted")
	if err := a.Renew(t.Context(), l, 10*time.Second); !errors.Is(err, lease.ErrLost) {
		t.Fatalf("renewed though it was deleted: %v", err)
	}
	if _, err := shared.admin(t).Get(t.Context(), "deleted"); !absent(err) {
		t.Fatalf("a renewal made it again: %v", err)
	}
	next := acquired(t, b, "deleted", "b")
	if next.Term <= l.Term {
		t.Errorf("term %d after term %d", next.Term, l.Term)
	}
	if err := a.Renew(t.Context(), l, 10*time.Second); !errors.Is(err, lease.ErrLost) {
		t.Errorf("renewed though another has it: %v", err)
	}
}

func TestInAStormOfContendersOneWins(t *testing.T) {
	const many = 24
	for round := range 3 {
		type outcome struct {
			l   lease.Lease
			err error
		}
		outcomes := make(chan outcome, many)
		for i := range many {
			m := manager(t, shared.admin(t))
			go func() {
				l, err := m.Acquire(t.Context(), fmt.Sprint("storm-", round), holder(fmt.Sprint("node-", i)), time.Minute)
				outcomes <- outcome{l, err}
			}()
		}
		won := 0
		for range many {
			if o := <-outcomes; o.err == nil {
				won++
			} else if !errors.Is(o.err, lease.ErrHeld) {
				t.Errorf("neither granted nor held: %v", o.err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d won", won, many)
		}
	}
}
