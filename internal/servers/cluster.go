//go:build linux

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// peerPort is which port of a member its peers connect to, counted from 0.
const peerPort = 1

// Cluster is servers that are one store together. What they tell each other passes through proxies, one for each
// direction between two of them, so that a member can be cut off from its peers while clients reach it. Its methods may
// be called from any goroutine; those of one member one at a time.
type Cluster struct {
	Members []*Server
	doors   []net.Listener
	links   [][]*Proxy     // by who connects, and to whom
	peers   []atomic.Value // where each member listens for its peers, a string
	wg      sync.WaitGroup
}

// StartCluster starts n servers and returns when all of them serve. The Spec of each is asked for with its number, from
// 0, and the addresses at which the members reach each other, which lead to the second port of each. Close it.
func StartCluster(ctx context.Context, n int, member func(i int, peers []string) Spec) (*Cluster, error) {
	var err error
	for range 3 { // somebody may take a port between its choice and its use
		var c *Cluster
		if c, err = startCluster(ctx, n, member); err == nil {
			return c, nil
		}
		err = errors.Join(err, c.Close())
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func startCluster(ctx context.Context, n int, member func(i int, peers []string) Spec) (*Cluster, error) {
	c := &Cluster{links: make([][]*Proxy, n), peers: make([]atomic.Value, n)}
	addrs := make([]string, n)
	for i := range n {
		door, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return c, fmt.Errorf("servers: cluster: %w", err)
		}
		c.doors, addrs[i] = append(c.doors, door), door.Addr().String()
		for to := range n {
			c.links[i] = append(c.links[i], newProxy(func() string {
				addr, _ := c.peers[to].Load().(string)
				return addr
			}))
		}
	}
	var ready []func(context.Context, Instance) error
	for i := range n {
		spec := member(i, addrs)
		ready = append(ready, spec.Ready)
		// None of them serves before most are there, so they are not waited for one by one.
		spec.Ready = func(context.Context, Instance) error { return nil }
		s, err := Start(ctx, spec)
		if err != nil {
			return c, err
		}
		s.spec.Ready = ready[i]
		c.Members = append(c.Members, s)
		c.peers[i].Store(s.AddrOf(peerPort))
	}
	for to, door := range c.doors {
		c.wg.Go(func() { c.admit(door, to) })
	}
	for _, s := range c.Members {
		if err := s.ready(ctx, s.exited); err != nil {
			return c, fmt.Errorf("servers: %s: %w; it printed:\n%s", s.spec.Name, err, s.Log())
		}
	}
	return c, nil
}

// admit gives each connection to the member to the link from whoever made it.
func (c *Cluster) admit(door net.Listener, to int) {
	for {
		conn, err := door.Accept()
		if err != nil {
			return
		}
		from := owner(conn.RemoteAddr(), c.Members)
		if from < 0 { // whoever made it is gone already
			_ = conn.Close()
			continue
		}
		link := c.links[from][to]
		link.wg.Go(func() { link.serve(conn) })
	}
}

// Cut cuts a member off from all others, as a switch that fails does: nothing passes, and no connection ends.
func (c *Cluster) Cut(member int) { c.set(member, Blackhole) }

// Heal undoes Cut. What was sent meanwhile arrives.
func (c *Cluster) Heal(member int) { c.set(member, Pass) }

func (c *Cluster) set(member int, f Fault) {
	for other := range c.links {
		c.links[member][other].Set(f)
		c.links[other][member].Set(f)
	}
}

// Close ends all members and removes what they left on disk. Closing twice does no harm.
func (c *Cluster) Close() error {
	var errs []error
	for _, s := range c.Members {
		errs = append(errs, s.Close())
	}
	for _, door := range c.doors {
		_ = door.Close()
	}
	c.wg.Wait()
	for _, from := range c.links {
		for _, link := range from {
			link.Close()
		}
	}
	return errors.Join(errs...)
}

// TestCluster starts a cluster for the length of a test. One that does not start fails the test.
func TestCluster(t TB, n int, member func(i int, peers []string) Spec) *Cluster {
	t.Helper()
	c, err := StartCluster(t.Context(), n, member)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if f, ok := t.(interface{ Failed() bool }); ok && f.Failed() {
			for i, s := range c.Members {
				t.Logf("member %d printed:\n%s", i, s.Log())
			}
		}
		if err := c.Close(); err != nil {
			t.Logf("cluster: %v", err)
		}
	})
	return c
}
