package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// remedies are the faults that trying again will not cure.
var remedies = []struct {
	err  error
	text string
}{
	{rpctypes.ErrPermissionDenied, "grant the user's role read and write on the prefix " +
		"(etcdctl role grant-permission --prefix=true ROLE readwrite %q)"},
	{rpctypes.ErrAuthFailed, "correct the user or the password of the client"},
	{rpctypes.ErrUserEmpty, "the cluster wants a user: give the client one, or a certificate"},
	{rpctypes.ErrUserNotFound, "add the user (etcdctl user add)"},
	{rpctypes.ErrRoleNotFound, "add the role (etcdctl role add)"},
	{rpctypes.ErrNoSpace, "the database of etcd is full: compact and defragment it, then disarm the alarm " +
		"(etcdctl alarm disarm)"},
	{rpctypes.ErrCorrupt, "the cluster has raised the alarm that its data is corrupt: repair it"},
	{rpctypes.ErrLeaseTTLTooLarge, "use a shorter TTL"},
}

// explain gives an error of a call to etcd its remedy, if it needs one, and the end of the context, if that is why.
func (m *Manager) explain(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer from %s: %w", strings.Join(m.client.Endpoints(), ", "), err)
		if why := m.unconnected(); why != nil {
			err = trust.Explain(fmt.Errorf("%w: %w", err, why))
		}
		return err
	}
	known := rpctypes.Error(err)
	for _, r := range remedies {
		if !errors.Is(known, r.err) {
			continue
		}
		text := r.text
		if strings.Contains(text, "%q") {
			text = fmt.Sprintf(text, m.prefix)
		}
		return lease.Permanent(fmt.Errorf("%w; %s", err, text))
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return lease.Permanent(fmt.Errorf("%w; what answers at %s is no etcd of version 3", err,
			strings.Join(m.client.Endpoints(), ", ")))
	case codes.Unavailable:
		return trust.Explain(err)
	case codes.DeadlineExceeded: // the context was about to end
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// unconnected returns why there is no connection to any member, nil if there may be one. The client keeps that to
// itself and tries again until the context ends. A call that it does not try again brings it out: without a connection
// it fails at once, and nothing is sent.
func (m *Manager) unconnected() error {
	conn := m.client.ActiveConnection()
	if conn == nil || conn.GetState() != connectivity.TransientFailure {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte(m.prefix), Serializable: true})
	if status.Code(err) != codes.Unavailable {
		return nil
	}
	return errors.New(status.Convert(err).Message())
}

// fail names the call that failed.
func (m *Manager) fail(ctx context.Context, op, key string, err error) error {
	if _, refusal := lease.Refusal(err); refusal {
		return err
	}
	if !errors.Is(err, lease.ErrPermanent) {
		err = m.explain(ctx, err)
	}
	return fmt.Errorf("lease: %s %q: %w", op, key, err)
}

// errBack means that etcd has lost data, so that it would grant terms that it has granted before.
func errBack(before, now int64) error {
	return lease.Permanent(fmt.Errorf("etcd has gone back from revision %d to %d, and terms with it: it was restored "+
		"from a snapshot or is a new cluster; restore with --bump-revision, or restart this process once nothing relies "+
		"on the old terms", before, now))
}
