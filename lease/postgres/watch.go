package postgres

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

const (
	// Reading watched keys takes no longer than this; then it is tried again.
	readTimeout = 5 * time.Second
	// chunk is how many keys one statement reads.
	chunk = 500
	// While LISTEN works, polls are so many times rarer.
	rarer = 10
)

// hub tells of changes of all watched keys: from one goroutine that reads and tells, and one that listens if there is
// something to listen with.
type hub struct {
	m      *Manager
	listen func(context.Context) (*pgx.Conn, error)
	poll   time.Duration
	log    *slog.Logger

	echoEvery, echoTimeout time.Duration

	audience *audience.Audience[subject]
	prompt   atomic.Bool // whether LISTEN works
}

// subject is what is known of a key that is watched.
type subject struct {
	due bool // is to be read
}

// seen is what distinguishes two states of a row.
type seen struct {
	lease lease.Lease
	ends  string
}

// Watch calls changed with the record of key, now and after each change; see [lease.Watcher]. Changes of hands are told
// at once if Config.Listen is set and works; renewals and what a person has changed are told when the key is polled. A
// row that cannot be read is passed over; Acquire reports it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.hub.audience.Add(key, changed), nil
}

// serve reads, tells and listens until its context ends.
func (h *hub) serve(ctx context.Context, l *audience.Loop[subject]) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if h.listen != nil {
		wg.Go(func() { h.hearken(ctx, l) })
	}
	h.run(ctx, l)
}

// hear has a key read soon if it is watched.
func (h *hub) hear(l *audience.Loop[subject], key string) {
	if l.With(key, func(s *subject) { s.due = true }) {
		l.Nudge()
	}
}

// markAll has every watched key read soon.
func (h *hub) markAll(l *audience.Loop[subject]) {
	l.Each(func(_ string, s *subject) bool {
		s.due = true
		return true
	})
	l.Nudge()
}

// run reads what is due, and everything at each poll. Anybody may send notifications: if there was nothing new behind
// one, the next has to wait a little.
func (h *hub) run(ctx context.Context, l *audience.Loop[subject]) {
	next := time.Now().Add(h.interval())
	var calm time.Duration
	for {
		polls := !time.Now().Before(next)
		if polls {
			h.markAll(l)
		}
		if soon := time.Now().Add(h.interval()); polls || soon.Before(next) { // or LISTEN has stopped working
			next = soon
		}
		told, err := h.readDue(ctx, l)
		switch {
		case err != nil: // what was due still is
			l.Nudge()
			calm = min(max(2*calm, 10*time.Millisecond), h.poll, defaultPoll) // perhaps the table is being made
			if raced(err) {
				calm = min(rand.N(20*time.Millisecond), h.poll)
			}
		case told:
			calm = 0
		case !polls:
			calm = min(max(2*calm, time.Millisecond), h.poll/4, defaultPoll/4)
		}
		if !sleep(ctx, calm, nil) || !sleep(ctx, time.Until(next), l.Wake()) {
			return
		}
	}
}

// interval is how long until the next poll, a little different each time so that not all processes poll at once.
func (h *hub) interval() time.Duration {
	every := h.poll
	if h.prompt.Load() {
		every *= rarer
	}
	return every - time.Duration(rand.Int64N(int64(every)/5))
}

// sleep waits for d, or for wake if it is not nil. It reports false if the context ends.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return ctx.Err() == nil
}

// readDue reads the keys that are due and tells of them. It reports whether there was anything to tell.
func (h *hub) readDue(ctx context.Context, l *audience.Loop[subject]) (told bool, err error) {
	for _, key := range l.Joined() {
		l.With(key, func(s *subject) { s.due = true })
	}
	var due []string
	l.Each(func(key string, s *subject) bool {
		if s.due {
			due = append(due, key)
			s.due = false
		}
		return true
	})
	for keys := range slices.Chunk(due, chunk) {
		rows, e := h.m.readMany(ctx, keys)
		if e != nil {
			err = e
			for _, key := range keys {
				l.With(key, func(s *subject) { s.due = true })
			}
			continue
		}
		for _, key := range keys {
			told = h.tell(l, key, rows[key]) || told
		}
	}
	return told || len(due) == 0, err
}

// tell tells those who watch a key of its row, nil if it has none, and reports whether it was news to anybody.
func (h *hub) tell(l *audience.Loop[subject], key string, w *row) bool {
	if w == nil {
		return l.Tell(key, nil, lease.Record{Lease: lease.Lease{Key: key}})
	}
	r, err := w.record(key)
	return err == nil && l.Tell(key, seen{r.Lease, w.ends.String}, r)
}

// readMany reads rows in one statement. What has no row is not in the map.
func (m *Manager) readMany(ctx context.Context, keys []string) (map[string]*row, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := m.db.QueryContext(ctx, m.sql.readMany, strings.Join(keys, "\n"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[string]*row, len(keys))
	for rows.Next() {
		var w row
		if err := rows.Scan(w.into()...); err != nil {
			return nil, err
		}
		found[w.key.String] = &w
	}
	return found, rows.Err()
}
