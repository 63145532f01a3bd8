package etcd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// answered notes which addresses a client has had answers from.
type answered struct{ addrs sync.Map }

func (a *answered) by(addr string) bool { _, ok := a.addrs.Load(addr); return ok }

func (a *answered) use(c *clientv3.Config) {
	c.DialOptions = append(c.DialOptions, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string,
		req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		var who peer.Peer
		err := invoke(ctx, method, req, reply, cc, append(opts, grpc.Peer(&who))...)
		if err == nil && who.Addr != nil {
			a.addrs.Store(who.Addr.String(), true)
		}
		return err
	}))
}

// A client of several members asks one after another. A connection that is dead without having ended is among them for
// ten seconds and more; until then nothing may depend on it.
func TestADeadConnectionToOneMemberCostsNeitherTheLeaseNorATakeover(t *testing.T) {
	t.Parallel()
	for _, f := range []servers.Fault{servers.Blackhole, servers.DropAnswers} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p, peer := servers.TestProxy(t, shared.Addr()), open(t, shared.Addr())
			var a answered
			m := open(t, shared.Addr(), a.use, func(c *clientv3.Config) {
				c.Endpoints = []string{shared.Addr(), p.Addr()}
			})
			contest.Eventually(t, "both members answer", func() bool {
				_, err := m.Read(t.Context(), "k")
				return err == nil && a.by(shared.Addr()) && a.by(p.Addr())
			})
			l := grant(t, m, fresh("one is dead, "+f.String()), holder("a"), time.Minute)
			p.Set(f)
			soon := func(what string, call func(context.Context) error) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				if err := call(ctx); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			for range 2 {
				soon("Renew", func(ctx context.Context) error { return m.Renew(ctx, l, time.Minute) })
				soon("Renew for another length", func(ctx context.Context) error { return m.Renew(ctx, l, 2*time.Minute) })
				var other lease.Lease
				soon("Acquire", func(ctx context.Context) (err error) {
					other, err = m.Acquire(ctx, fresh("takeover"), holder("a"), time.Minute)
					return err
				})
				soon("Release", func(ctx context.Context) error {
					if err := m.Release(ctx, other); !errors.Is(err, lease.ErrLost) { // if it was asked for twice
						return err
					}
					return nil
				})
				if r, err := peer.Read(t.Context(), other.Key); err != nil || !r.Vacant() {
					t.Errorf("%+v, %v; it was released", r, err)
				}
			}
			if r, err := peer.Read(t.Context(), l.Key); err != nil || r.Lease != l {
				t.Errorf("%+v, %v; want %+v", r, err, l)
			}
		})
	}
}
