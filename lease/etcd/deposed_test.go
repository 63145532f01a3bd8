package etcd

import (
	"context"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// elsewhere sends all calls of a client but renewals to the server of another.
func elsewhere(other *clientv3.Client) func(*clientv3.Config) {
	return func(c *clientv3.Config) {
		c.DialOptions = append(c.DialOptions, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string,
			req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			return other.ActiveConnection().Invoke(ctx, method, req, reply, opts...)
		}))
	}
}

// A leader of etcd that is cut off and stands still, so that another is elected, answers renewals when it wakes, and
// the new one knows nothing of them. What it answers must not count.
func TestARenewalThatADeposedLeaderOfEtcdAnswersDoesNotCount(t *testing.T) {
	t.Parallel()
	c := members(t)
	deposed := 0
	for begun := time.Now(); deposed < 2; {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("%d of 2 deposed leaders of etcd have answered within two minutes", deposed)
		}
		all := open(t, "", through(c, 0, 1, 2))
		leader, others := leads(t, all, c)
		there := open(t, "", through(c, others[0]))
		m := open(t, "", through(c, leader), elsewhere(there.client))
		l := grant(t, m, fresh("deposed"), holder("a"), time.Minute)
		before, err := there.find(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		c.Cut(leader)
		if err := c.Members[leader].Pause(); err != nil {
			t.Fatal(err)
		}
		another := false // not if it had ceased to lead before it was cut off
		for cut := time.Now(); !another && time.Since(cut) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
			s, err := there.find(t.Context(), l)
			another = err == nil && s.raft > before.raft
		}
		if err := c.Members[leader].Resume(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		old, err := m.keepAlive(ctx, before.id, time.Minute)
		if err == nil && another && old == before.raft { // it does what this test is about
			if err = m.Renew(ctx, l, time.Minute); err == nil {
				deposed++
				if now, err := there.find(t.Context(), l); err != nil || now.id == before.id {
					t.Errorf("%+v, %v; want another etcd lease than %x", now, err, before.id)
				}
			}
		}
		cancel()
		c.Heal(leader)
	}
}

// aged shows an older Raft term than a member has in its answers to renewals.
type aged struct{ grpc.ClientStream }

func (a aged) RecvMsg(m any) error {
	err := a.ClientStream.RecvMsg(m)
	if resp, ok := m.(*pb.LeaseKeepAliveResponse); ok && err == nil {
		resp.Header.RaftTerm--
	}
	return err
}

func TestARenewalUnderAnOlderRaftTermThanTheReadIsWritten(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr(), func(c *clientv3.Config) {
		c.DialOptions = append(c.DialOptions, grpc.WithChainStreamInterceptor(func(ctx context.Context,
			desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			s, err := stream(ctx, desc, cc, method, opts...)
			if err == nil && strings.HasSuffix(method, "/LeaseKeepAlive") {
				s = aged{s}
			}
			return s, err
		}))
	})
	peer := open(t, shared.Addr())
	l := grant(t, m, fresh("aged"), holder("a"), time.Minute)
	for _, renewer := range []*Manager{m, peer, m} {
		before, err := peer.find(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if err := renewer.Renew(t.Context(), l, time.Minute); err != nil {
			t.Fatal(err)
		}
		after, err := peer.find(t.Context(), l)
		if err != nil || after.Term != l.Term || (after.id != before.id) != (renewer == m) {
			t.Errorf("from %+v to %+v, %v; want a new etcd lease only for an older term", before, after, err)
		}
	}
	if err := peer.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}
