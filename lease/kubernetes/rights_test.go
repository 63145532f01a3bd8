//go:build linux && apiserver

package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// counted counts requests.
type counted struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// The role is the very text of the page.
func TestTheRoleOnThePageIsEnoughAndNothingLess(t *testing.T) {
	c := fragile(t)
	page, err := os.ReadFile("../../docs/stores/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	yaml, _, ok := strings.Cut(rest, "```")
	parts := strings.Split(yaml, "---\n")
	if !ok || len(parts) != 3 {
		t.Fatalf("%d objects on the page", len(parts))
	}
	account := c.as(t, servers.KubeAccount, c.api.Addr())
	m := manager(t, account)
	if _, err := m.Acquire(t.Context(), "billing", holder("a"), time.Minute); !errors.Is(err, lease.ErrPermanent) ||
		!strings.Contains(err.Error(), "grant get, create, update and watch on leases") {
		t.Fatalf("without a role: %v", err)
	}
	if err := account.Watch(t.Context(), "billing", nil); code(err) != statusForbidden {
		t.Fatalf("without a role, watch: %v", err)
	}
	const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
	for i, path := range []string{"/api/v1/namespaces/default/serviceaccounts", rbac + "roles", rbac + "rolebindings"} {
		if err := servers.KubeDo(t.Context(), c.api.Instance, http.MethodPost, path, parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	var l lease.Lease
	eventually(t, "the role is in force", func() bool {
		l, err = m.Acquire(t.Context(), "billing", holder("a"), time.Minute)
		return err == nil
	})
	heard := make(chan lease.Record, 100)
	stop, err := m.Watch("billing", func(r lease.Record) { heard <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if r := <-heard; r.Lease != l {
		t.Errorf("the watch tells of %+v", r)
	}
	if err := m.Renew(t.Context(), l, time.Minute); err != nil {
		t.Error(err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Error(err)
	}
	if _, err := m.Acquire(t.Context(), "other", holder("a"), time.Minute); !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("another Lease may be taken, too: %v", err)
	}
}

func TestFaultsOfAnAdministratorArePermanentAndSayWhatToDo(t *testing.T) {
	away := shared.admin(t)
	away.Namespace = "nowhere"
	lost := shared.admin(t)
	lost.Server += "/elsewhere"
	for name, c := range map[string]struct {
		client Client
		says   string
	}{
		"no such namespace": {away, "create the namespace"},
		"wrong token":       {shared.as(t, "guess", shared.api.Addr()), "check the service account"},
		"wrong address":     {lost, "check its address"},
		"no rights":         {shared.as(t, servers.KubeAccount, shared.api.Addr()), "grant get, create, update and watch"},
	} {
		m := manager(t, c.client)
		_, err := m.Acquire(t.Context(), "fault", holder("a"), time.Minute)
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), c.says) ||
			strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: %v", name, err)
		}
		l := lease.Lease{Key: "fault", Holder: holder("a"), Term: 5}
		if err := m.Renew(t.Context(), l, time.Minute); err == nil {
			t.Errorf("%s: renewed", name)
		}
	}
}

func TestANodeWithoutRightsSaysSoAndDoesNotHurry(t *testing.T) {
	client := shared.as(t, servers.KubeAccount, shared.api.Addr())
	count := &counted{RoundTripper: client.Client.Transport}
	transport := client.Client.Transport.(*http.Transport)
	client.Client = &http.Client{Transport: count}
	defer transport.CloseIdleConnections()
	node, err := actor.New(actor.Config{Name: "a", Manager: manager(t, client)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := node.Campaign(actor.Election{Key: "denied", TTL: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- node.Run(ctx) }()
	eventually(t, "the status has the fault", func() bool { return errors.Is(e.Status().Err, lease.ErrPermanent) })
	before := count.n.Load()
	time.Sleep(3 * time.Second)
	if n := count.n.Load() - before; n > 20 {
		t.Errorf("%d requests in 3 s", n)
	}
	cancel()
	<-ran
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}
