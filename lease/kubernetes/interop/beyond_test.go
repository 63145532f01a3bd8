package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease/kubernetes"
	"github.com/go-tenure/tenure/lease/kubernetes/internal/model"
)

// unlucky is a client with a timeout of half the renew deadline. The answer to its first update is lost, that to its
// second is late by nearly the timeout, and nothing passes afterwards.
type unlucky struct {
	*model.Server
	updates int
	changed time.Time // when the record was changed last
}

func (u *unlucky) Get(ctx context.Context, name string) ([]byte, error) {
	if u.updates > 1 {
		return hang(ctx)
	}
	return u.Server.Get(ctx, name)
}

func (u *unlucky) Create(ctx context.Context, name string, lease []byte) ([]byte, error) {
	u.changed = time.Now()
	return u.Server.Create(ctx, name, lease)
}

func (u *unlucky) Update(ctx context.Context, name string, lease []byte) ([]byte, error) {
	u.updates++
	before, _ := u.Server.Get(ctx, name)
	if u.updates > 2 {
		return hang(ctx)
	}
	data, err := u.Server.Update(ctx, name, lease)
	if string(data) != string(before) {
		u.changed = time.Now()
	}
	if u.updates == 1 {
		return hang(ctx)
	}
	time.Sleep(usual.renew/2 - time.Millisecond)
	return data, err
}

func hang(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, usual.renew/2)
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

// This is what the guard is for, and why the timeout of one request is not enough: the second update writes what stands
// there already, so that nobody can see it, and client-go counts from its answer.
func TestAnElectorOfClientGoActsBeyondItsLeaseByNearlyTheGuard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := &unlucky{Server: &model.Server{}}
		ctx, cancel := context.WithCancel(t.Context())
		var acted time.Duration
		elect(ctx, bridge{client: u}, usual, false, "k", "x", func(work context.Context) {
			<-work.Done()
			acted = time.Since(u.changed)
			cancel()
		})
		beyond := acted - usual.lease
		if beyond > kubernetes.DefaultGuard || beyond < kubernetes.DefaultGuard-100*time.Millisecond {
			t.Errorf("it acts %v beyond its lease; the guard is %v", beyond, kubernetes.DefaultGuard)
		}
	})
}
