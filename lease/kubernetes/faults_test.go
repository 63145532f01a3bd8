//go:build linux && apiserver

package kubernetes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// ttl is a short lease that a busy machine can keep alive.
const ttl = 4 * time.Second

// span is when work ran.
type span struct {
	term     lease.Term
	from, to time.Time
}

// node runs a node of Tenure for the length of the test; what it leads comes out of the channel at its end.
func node(t *testing.T, c Client, name, key string) (*actor.Campaign, <-chan span) {
	t.Helper()
	n, err := actor.New(actor.Config{Name: name, Manager: manager(t, c)})
	if err != nil {
		t.Fatal(err)
	}
	spans := make(chan span, 100)
	e, err := n.Campaign(actor.Election{Key: key, TTL: ttl, Lead: func(ctx context.Context, tenure *actor.Tenure) error {
		s := span{term: tenure.Term(), from: time.Now()}
		<-ctx.Done()
		s.to = time.Now()
		spans <- s
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = n.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return e, spans
}

func leads(e *actor.Campaign) func() bool { return func() bool { return e.Status().Leading } }

func TestALeaderThatCannotReachTheServerStopsBeforeAnotherLeads(t *testing.T) {
	for _, fault := range []servers.Fault{servers.Blackhole, servers.DropAnswers, servers.HalfOpen, servers.Reset} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			p := servers.TestProxy(t, shared.api.Addr())
			key := LeaseName("cut off: " + fault.String())
			a, led := node(t, shared.as(t, servers.KubeAdmin, p.Addr()), "a", key)
			eventually(t, "a leads", leads(a))
			b, _ := node(t, shared.admin(t), "b", key)
			eventually(t, "b knows", func() bool { return b.Status().Leader.Name == "a" })
			p.Set(fault)
			first := <-led
			eventually(t, "b leads", leads(b))
			if begun := b.Status(); begun.Term <= first.term {
				t.Errorf("b leads under term %d after term %d", begun.Term, first.term)
			}
			if a.Status().Leading {
				t.Error("both lead")
			}
			p.Set(servers.Pass)
			eventually(t, "a knows of b", func() bool { return a.Status().Leader.Name == "b" })
		})
	}
}

func TestARenewalWhoseAnswerIsLostKeepsTheLease(t *testing.T) {
	p := servers.TestProxy(t, shared.api.Addr())
	m := manager(t, shared.as(t, servers.KubeAdmin, p.Addr()))
	l := acquired(t, m, "dropped", "a")
	p.Set(servers.DropAnswers)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := m.Renew(short, l, ttl)
	if _, refusal := lease.Refusal(err); err == nil || refusal {
		t.Errorf("the answer was dropped: %v; want an unknown outcome", err)
	}
	p.Set(servers.Pass)
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Errorf("the next renewal: %v", err)
	}
	if err := m.Release(t.Context(), l); err != nil {
		t.Error(err)
	}
}

func TestALeaderGoesOnAfterTheServerWasKilledOrLeadsAgainAfterALongPause(t *testing.T) {
	c := fragile(t)
	e, led := node(t, c.admin(t), "a", "server")
	eventually(t, "it leads", leads(e))
	if err := c.api.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it leads after the server was killed", leads(e))
	if err := c.api.Pause(); err != nil {
		t.Fatal(err)
	}
	paused := time.Now()
	last := <-led
	for ; last.to.Before(paused); last = <-led { // from before
	}
	if held := last.to.Sub(paused); held > ttl {
		t.Errorf("it led for %v after the server stood still, with a lease of %v", held, ttl)
	}
	if err := c.api.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it leads after the pause", leads(e))
	if term := e.Status().Term; term <= last.term {
		t.Errorf("it leads again under term %d after term %d", term, last.term)
	}
}

func TestANodeStandsByUntilTheServerComes(t *testing.T) {
	c := fragile(t)
	client := c.admin(t)
	c.api.Kill()
	e, _ := node(t, client, "a", "late")
	eventually(t, "it says what is wrong", func() bool { return e.Status().Err != nil })
	if err := e.Status().Err; errors.Is(err, lease.ErrPermanent) {
		t.Errorf("a server that is away is no permanent fault: %v", err)
	}
	if err := c.api.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it leads", leads(e))
}
