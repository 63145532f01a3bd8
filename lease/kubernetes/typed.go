package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Leases is what is used of client-go's typed client for the Leases of one namespace, k8s.io/client-go's
// coordinationv1.LeaseInterface: four of its methods. The type parameters stand for the types of client-go and are
// inferred, so that this module need not import it. Get, Create and Update need the rights of those names, Watch the
// right to watch.
type Leases[L, Get, Create, Update, List any, W Stream[E], E any] interface {
	Get(ctx context.Context, name string, options Get) (*L, error)
	Create(ctx context.Context, lease *L, options Create) (*L, error)
	Update(ctx context.Context, lease *L, options Update) (*L, error)
	Watch(ctx context.Context, options List) (W, error)
}

// Stream is what a watch of client-go is: its watch.Interface.
type Stream[E any] interface {
	ResultChan() <-chan E
	Stop()
}

// Typed makes a [Client] of client-go's typed client:
//
//	kubernetes.Typed(clientset.CoordinationV1().Leases("default"))
//
// client-go allows a client 5 requests a second unless its rest.Config says otherwise; every election that is led
// costs one for each renewal, so raise QPS and Burst for many. Objects pass through their JSON.
func Typed[L, Get, Create, Update, List any, W Stream[E], E any](
	leases Leases[L, Get, Create, Update, List, W, E],
) Client {
	return typed[L, Get, Create, Update, List, W, E]{leases}
}

type typed[L, Get, Create, Update, List any, W Stream[E], E any] struct {
	leases Leases[L, Get, Create, Update, List, W, E]
}

func (t typed[L, Get, Create, Update, List, W, E]) Get(ctx context.Context, name string) ([]byte, error) {
	var options Get
	got, err := t.leases.Get(ctx, name, options)
	return answer(got, err)
}

func (t typed[L, Get, Create, Update, List, W, E]) Create(ctx context.Context, _ string, data []byte) ([]byte, error) {
	var options Create
	l := new(L)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, err
	}
	got, err := t.leases.Create(ctx, l, options)
	return answer(got, err)
}

func (t typed[L, Get, Create, Update, List, W, E]) Update(ctx context.Context, _ string, data []byte) ([]byte, error) {
	var options Update
	l := new(L)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, err
	}
	got, err := t.leases.Update(ctx, l, options)
	return answer(got, err)
}

func (t typed[L, Get, Create, Update, List, W, E]) Watch(
	ctx context.Context, name string, event func([]byte),
) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+watchSlack)
	defer cancel()
	var options List
	if err := json.Unmarshal(fmt.Appendf(nil, `{"fieldSelector":%q,"timeoutSeconds":%d}`,
		"metadata.name="+name, int(watchFor.Seconds())), &options); err != nil {
		return err
	}
	stream, err := t.leases.Watch(ctx, options)
	if err != nil {
		return statusOf(err)
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case raw, ok := <-stream.ResultChan():
			if !ok {
				return nil
			}
			data, err := json.Marshal(raw)
			if err != nil {
				return err
			}
			var e struct {
				Type   string
				Object json.RawMessage
			}
			if err := json.Unmarshal(data, &e); err != nil {
				return err
			}
			if err := deliver(e.Type, e.Object, event); err != nil {
				return err
			}
		}
	}
}

// answer turns what client-go returns into what a Client does.
func answer(object any, err error) ([]byte, error) {
	if err != nil {
		return nil, statusOf(err)
	}
	return json.Marshal(object)
}

// statusOf finds the answer of the server in an error of client-go, whose errors.StatusError has it in its field
// ErrStatus. Any other error, such as a broken connection, stays as it is.
func statusOf(err error) error {
	var refused interface {
		error
		DebugError() (string, []any)
	}
	if !errors.As(err, &refused) {
		return err
	}
	data, marshal := json.Marshal(refused)
	var s struct{ ErrStatus status }
	if marshal != nil || json.Unmarshal(data, &s) != nil || s.ErrStatus.Code == 0 {
		return err
	}
	e := s.ErrStatus.err()
	if e.Message == "" {
		e.Message = limit(err.Error())
	}
	return e
}
