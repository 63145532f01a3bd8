package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/lease"
)

//go:embed lease.lua
var source string

var script = goredis.NewScript(source)

// request is one run of the script.
type request struct {
	op    string
	lease lease.Lease
	ttl   time.Duration
	call  uint64
}

func (m *Manager) keys(r request) []string { return []string{m.Record(r.lease.Key)} }

func (m *Manager) args(r request) []any {
	// Rounded up: a lease is never shorter at the server than its holder believes.
	us := (r.ttl + time.Microsecond - 1) / time.Microsecond
	h := r.lease.Holder
	return []any{r.op, m.channel(), r.lease.Key, h.Name, h.Incarnation, h.Meta, r.lease.Term.String(),
		strconv.FormatInt(int64(us), 10), m.id, strconv.FormatUint(r.call, 10)}
}

// do has the server carry r out, and returns soon after ctx ends whatever the client does.
func (m *Manager) do(ctx context.Context, r request) (answer, error) {
	if err := ended(ctx); err != nil {
		return answer{}, err
	}
	type outcome struct {
		answer answer
		err    error
	}
	got := make(chan outcome, 1)
	go func() {
		reply, err := m.ask(ctx, r)
		var a answer
		if err == nil {
			a, err = parse(r.lease.Key, reply)
		}
		got <- outcome{a, err}
	}()
	select {
	case o := <-got:
		return o.answer, o.err
	case <-ctx.Done():
		return answer{}, ended(ctx)
	}
}

// ended returns why ctx has ended, or nil if it has not.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// ask runs the script: by its digest, and in full if the server does not have it.
func (m *Manager) ask(ctx context.Context, r request) (any, error) {
	if m.c.Replicas > 0 && (r.op == "acquire" || r.op == "renew") {
		return m.askAndWait(ctx, r)
	}
	return script.Run(ctx, m.c.Client, m.keys(r), m.args(r)...).Result()
}

// askAndWait is ask, followed by WAIT on the same connection: it speaks of what that connection has written.
func (m *Manager) askAndWait(ctx context.Context, r request) (any, error) {
	c, err := m.shard(ctx, r)
	if err != nil {
		return nil, err
	}
	wait := replicaWait
	if most := c.Options().ReadTimeout / 2; most > 0 { // the client must not give up before the server does
		wait = min(wait, most)
	}
	run := func(eval func(p goredis.Pipeliner) *goredis.Cmd) (any, int64, error) {
		p := c.Pipeline()
		reply := eval(p)
		replicas := goredis.NewIntCmd(ctx, "wait", m.c.Replicas, wait.Milliseconds())
		_ = p.Process(ctx, replicas)
		_, _ = p.Exec(ctx)
		if err := reply.Err(); err != nil {
			return nil, 0, err
		}
		return reply.Val(), replicas.Val(), replicas.Err()
	}
	reply, replicas, err := run(func(p goredis.Pipeliner) *goredis.Cmd {
		return script.EvalSha(ctx, p, m.keys(r), m.args(r)...)
	})
	if goredis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, replicas, err = run(func(p goredis.Pipeliner) *goredis.Cmd {
			return script.Eval(ctx, p, m.keys(r), m.args(r)...)
		})
	}
	if cluster, ok := m.c.Client.(*goredis.ClusterClient); ok && err != nil {
		cluster.ReloadState(ctx) // the next call finds the right server
		if goredis.HasErrorPrefix(err, "MOVED") || goredis.HasErrorPrefix(err, "ASK") {
			return nil, fmt.Errorf("the cluster has moved the slot to another server; the next call asks it (%v)", err)
		}
	}
	switch a, _ := parse(r.lease.Key, reply); {
	case err == nil && a.status == done && replicas < int64(m.c.Replicas):
		return nil, fmt.Errorf("%d of %d replicas have it after %v; see to the replicas, or ask for fewer with "+
			"Config.Replicas", replicas, m.c.Replicas, wait)
	case err != nil:
		return nil, err
	}
	return reply, nil
}

// shard returns the client of the one server that has the record.
func (m *Manager) shard(ctx context.Context, r request) (*goredis.Client, error) {
	switch c := m.c.Client.(type) {
	case *goredis.Client:
		return c, nil
	case *goredis.ClusterClient:
		return c.MasterForKey(ctx, m.Record(r.lease.Key))
	}
	return nil, errors.ErrUnsupported // Check has refused it
}
