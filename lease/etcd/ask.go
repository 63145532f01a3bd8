package etcd

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// patience is how long ask waits for a member if the context has no end.
const patience = 5 * time.Second

// ask makes one call. A client of several members sends each call to the next of them, and one whose connection is dead
// without having ended keeps its turn until the client gives it up. Acquire makes three calls: without this, none of a
// client of three members would succeed until then. So a call is given half of the time that is left, and is then made
// again. It must be one that may be carried out twice.
func ask[T any](ctx context.Context, c *clientv3.Client, call func(context.Context) (T, error)) (T, error) {
	for range len(c.Endpoints()) / 2 { // fewer than half may be away, or there is no etcd
		wait := patience
		if end, ok := ctx.Deadline(); ok {
			wait = time.Until(end) / 2
		}
		half, cancel := context.WithTimeout(ctx, wait)
		got, err := call(half)
		again := err != nil && half.Err() != nil && ctx.Err() == nil
		cancel()
		if !again {
			return got, err
		}
	}
	return call(ctx)
}

// transact is ask for a transaction.
func (m *Manager) transact(ctx context.Context, cond []clientv3.Cmp, then, otherwise []clientv3.Op,
) (*clientv3.TxnResponse, error) {
	return ask(ctx, m.client, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return m.client.Txn(ctx).If(cond...).Then(then...).Else(otherwise...).Commit()
	})
}
