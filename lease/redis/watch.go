package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

// watched is what is known of a key that is watched.
type watched struct {
	due time.Time // when to read it, at the latest
}

const (
	// batch is how many records are read at once.
	batch = 128
	// readLimit bounds one batch, and retry is how long to wait after one that failed.
	readLimit = 5 * time.Second
	retry     = time.Second
)

// Watch calls changed with the record of key, soon and after each change of hands, and when a lease has run out; see
// [lease.Watcher]. Renewals are not told. It does not wait for the server, and goes on through restarts of it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.audience.Add(key, changed), nil
}

// serve reads what is due, until ctx ends.
func (m *Manager) serve(ctx context.Context, l *audience.Loop[watched]) {
	go m.listen(ctx, l)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		for _, key := range l.Joined() {
			expire(l, key)
		}
		keys, next := overdue(l, time.Now())
		if len(keys) == 0 {
			timer.Reset(time.Until(next))
			select {
			case <-ctx.Done():
			case <-l.Wake():
			case <-timer.C:
			}
			continue
		}
		if !m.refresh(ctx, l, keys) {
			select {
			case <-ctx.Done():
			case <-time.After(retry):
			}
		}
	}
}

// expire makes key due at once, and reports whether it is watched.
func expire(l *audience.Loop[watched], key string) bool {
	return l.With(key, func(k *watched) { k.due = time.Time{} })
}

// heard takes in that key has changed hands, or that any may have, if it is "".
func heard(l *audience.Loop[watched], key string) {
	switch {
	case key == "":
		l.Each(func(_ string, k *watched) bool {
			k.due = time.Time{}
			return true
		})
	case !expire(l, key):
		return
	}
	l.Nudge()
}

// overdue returns keys that are to be read, one batch at most, and when the next is due if there is none.
func overdue(l *audience.Loop[watched], now time.Time) (keys []string, next time.Time) {
	next = now.Add(time.Minute)
	l.Each(func(key string, k *watched) bool {
		if !k.due.After(now) {
			keys = append(keys, key)
		} else if k.due.Before(next) {
			next = k.due
		}
		return len(keys) < batch
	})
	return keys, next
}

// refresh reads keys and tells of them. It reports whether the server was of use.
func (m *Manager) refresh(ctx context.Context, l *audience.Loop[watched], keys []string) bool {
	asked := time.Now()
	for _, key := range keys { // what is heard from now on makes it due again
		l.With(key, func(k *watched) { k.due = asked.Add(m.c.Poll) })
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	records := m.readAll(ctx, keys)
	for _, key := range keys {
		switch r, got := records[key]; {
		case !got:
			expire(l, key)
		case r != nil:
			tell(l, key, *r)
		}
	}
	return len(records) == len(keys)
}

// tell tells of r, and notes when to read key again.
func tell(l *audience.Loop[watched], key string, r lease.Record) {
	end := time.Now().Add(r.Remaining + time.Millisecond)
	l.With(key, func(k *watched) {
		if !r.Vacant() && end.Before(k.due) {
			k.due = end // it ends then, unless it is renewed
		}
	})
	type state struct {
		lease.Lease
		vacant bool
	}
	if r.Term == 0 && r.Holder.IsZero() { // there is no record
		l.Tell(key, nil, r)
	} else {
		l.Tell(key, state{r.Lease, r.Vacant()}, r)
	}
}

// readAll reads records, many with one journey. A record that the server has but that is of no use, or that may not be
// read, is nil; Acquire reports it. Keys that there was no answer about are left out.
func (m *Manager) readAll(ctx context.Context, keys []string) map[string]*lease.Record {
	got := make(chan map[string]*lease.Record, 1)
	go func() {
		records, known := m.readBatch(ctx, keys, script.EvalSha)
		if !known {
			records, _ = m.readBatch(ctx, keys, script.Eval)
		}
		got <- records
	}()
	select {
	case records := <-got:
		return records
	case <-ctx.Done():
		return nil
	}
}

type eval func(context.Context, goredis.Scripter, []string, ...any) *goredis.Cmd

// readBatch also reports whether every server knows the script.
func (m *Manager) readBatch(ctx context.Context, keys []string, run eval) (map[string]*lease.Record, bool) {
	p := m.c.Client.Pipeline()
	replies := make([]*goredis.Cmd, len(keys))
	for i, key := range keys {
		r := request{op: "read", lease: lease.Lease{Key: key}}
		replies[i] = run(ctx, p, m.keys(r), m.args(r)...)
	}
	_, _ = p.Exec(ctx) // each reply has its error
	records := map[string]*lease.Record{}
	for i, key := range keys {
		reply, err := replies[i].Result()
		var refusal goredis.Error
		switch {
		case goredis.HasErrorPrefix(err, "NOSCRIPT"):
			return nil, false
		case errors.As(err, &refusal):
			records[key] = nil
		case err == nil:
			if a, err := parse(key, reply); err == nil {
				records[key] = &a.record
			} else {
				records[key] = nil
			}
		}
	}
	return records, true
}
