package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/go-tenure/tenure/lease"
)

// orphan is an etcd lease that nothing is known to be attached to.
type orphan struct {
	id    clientv3.LeaseID
	until time.Time // when it has ended by itself, about
}

// maxOrphans is how many are remembered. The others end by themselves.
const maxOrphans = 100

// grant has etcd grant a lease of its own kind. We choose the number, so that a grant whose answer was lost is known
// and can be revoked.
func (m *Manager) grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	id := clientv3.LeaseID(1 + rand.Int64N(1<<63-2))
	seconds := int64(ttl / time.Second)
	resp, err := ask(ctx, m.client, func(ctx context.Context) (*pb.LeaseGrantResponse, error) {
		return m.leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: int64(id), TTL: seconds}, grpc.WaitForReady(true))
	})
	switch {
	case errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseExist): // it was asked for twice, and this is the second answer
		var live *clientv3.LeaseTimeToLiveResponse
		if live, err = m.life(ctx, id); err == nil && live.GrantedTTL < seconds {
			err = fmt.Errorf("etcd granted %d s instead of %d s", live.GrantedTTL, seconds)
		}
	case err == nil && resp.TTL < seconds:
		err = fmt.Errorf("etcd granted %d s instead of %d s", resp.TTL, seconds)
	}
	if err != nil {
		m.disown(ctx, id, ttl)
		return 0, err
	}
	return id, nil
}

// keepAlive makes an etcd lease last as long as it was granted for, from now on. It asks once: the client's own
// KeepAliveOnce asks again and again without a pause while the cluster has no leader. It returns the Raft term of the
// member that answered, as it was before; see [counts].
func (m *Manager) keepAlive(ctx context.Context, id clientv3.LeaseID, ttl time.Duration) (uint64, error) {
	resp, err := ask(ctx, m.client, func(ctx context.Context) (*pb.LeaseKeepAliveResponse, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // of the stream
		stream, err := m.leases.LeaseKeepAlive(ctx, grpc.WaitForReady(true))
		if err != nil {
			return nil, err
		}
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
			return nil, err
		}
		return stream.Recv()
	})
	switch {
	case err != nil:
		return 0, err
	case resp.ID != int64(id):
		return 0, fmt.Errorf("etcd answered for lease %x instead of %x", resp.ID, int64(id))
	case resp.TTL <= 0:
		return 0, rpctypes.ErrLeaseNotFound
	case time.Duration(resp.TTL) < ttl/time.Second:
		return 0, fmt.Errorf("etcd prolonged the lease by %d s instead of %v", resp.TTL, ttl)
	}
	return resp.GetHeader().GetRaftTerm(), nil
}

// counts reports whether an etcd lease that was kept alive under one Raft term is known to last from then on, given the
// term of a read that was asked for afterwards and found the holder there.
//
// Keeping alive does not pass through Raft. Whoever leads etcd, or believes so, answers from memory: a member that is
// cut off goes on for up to two election timeouts, and one that stood still for a while goes on when it wakes. Its
// successor counts from its own election, for the length of the lease and one election timeout. Worked example, with
// 15 s and 1 s: the leader of etcd hangs at 0 s, another is elected at 1 s and ends the lease at 1 + 15 + 1 = 17 s. The
// old one wakes at 10 s and answers once more, and the holder believes in its lease until 25 s.
//
// A read does pass through Raft: whoever led had a majority after it was asked. The term in an answer is that of the
// last entry which the member has applied, and each leader begins with an entry of its own, before anything is read
// from it. So if both terms are the same, the member that kept the lease alive was, or asked, the very leader that
// still had the majority when the read came; and whoever is elected after that gives the lease its full length. (A
// member that caught up from a snapshot shows an old term until its next entry. With three members that cannot be while
// another one is deposed, because then it is needed for the majority.)
func counts(keptAlive, read uint64) bool { return keptAlive == read && read > 0 }

// life asks for how long an etcd lease lasts.
func (m *Manager) life(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseTimeToLiveResponse, error) {
	return ask(ctx, m.client, func(ctx context.Context) (*clientv3.LeaseTimeToLiveResponse, error) {
		return m.client.TimeToLive(ctx, id)
	})
}

// disown ends an etcd lease that is no longer wanted, now or at the next Acquire.
func (m *Manager) disown(ctx context.Context, id clientv3.LeaseID, ttl time.Duration) {
	if m.revoke(ctx, id) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.orphans) == maxOrphans {
		m.orphans = append(m.orphans[:0], m.orphans[1:]...)
	}
	m.orphans = append(m.orphans, orphan{id, time.Now().Add(ttl)})
}

// revoke reports whether the lease is known to be no more.
func (m *Manager) revoke(ctx context.Context, id clientv3.LeaseID) bool {
	if ctx.Err() != nil {
		return false
	}
	_, err := ask(ctx, m.client, func(ctx context.Context) (*clientv3.LeaseRevokeResponse, error) {
		return m.client.Revoke(ctx, id)
	})
	return err == nil || errors.Is(err, rpctypes.ErrLeaseNotFound)
}

// sweep revokes what could not be revoked before. An acquisition that was carried out although its answer was lost is
// undone by it, and one that is still under way can no longer succeed.
func (m *Manager) sweep(ctx context.Context) {
	m.mu.Lock()
	orphans := m.orphans
	m.orphans = nil
	m.mu.Unlock()
	for _, o := range orphans {
		if left := time.Until(o.until); left > 0 {
			m.disown(ctx, o.id, left)
		}
	}
}

// recall returns what is known of l if it was granted here.
func (m *Manager) recall(l lease.Lease) (sight, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mine[l.Key]
	return s, ok && s.Term == l.Term && s.Holder.Is(l.Holder)
}

func (m *Manager) remember(s sight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.mine[s.Key]; known.Term <= s.Term {
		m.mine[s.Key] = s
	}
}

func (m *Manager) forget(l lease.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mine[l.Key].Term == l.Term {
		delete(m.mine, l.Key)
	}
}
