package etcd

import (
	"context"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wire stands between a client and the real server, and spoils one call.
type wire struct {
	mu     sync.Mutex
	method string // such as Txn; empty: none
	skip   int    // how many calls of that method are left alone first
	late   bool   // the request is held back until deliver, instead of losing the answer
	held   func() error
	then   func() // called when an answer was lost
}

// use makes a client's calls go over the wire.
func (w *wire) use(c *clientv3.Config) {
	c.DialOptions = append(c.DialOptions, grpc.WithChainUnaryInterceptor(w.call))
}

// spoil has the next call of method but skip lose its answer, or be late.
func (w *wire) spoil(method string, skip int, late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.method, w.skip, w.late = method, skip, late
}

// deliver has the server carry out the request that was held back, and returns its answer.
func (w *wire) deliver() error { return w.held() }

func (w *wire) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	spoil, late := w.spoils(method)
	if !spoil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	lost := status.Error(codes.Unavailable, "the answer is lost")
	if late {
		w.held = func() error {
			return invoke(context.WithoutCancel(ctx), method, req, &pb.TxnResponse{}, cc, opts...)
		}
		return lost
	}
	if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
		return err
	}
	if w.then != nil {
		w.then()
		return status.FromContextError(ctx.Err()).Err()
	}
	return lost
}

func (w *wire) spoils(method string) (spoil, late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.method == "" || !strings.HasSuffix(method, "/"+w.method) {
		return false, false
	}
	if w.skip > 0 {
		w.skip--
		return false, false
	}
	w.method = ""
	return true, w.late
}
