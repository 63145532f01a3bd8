package postgres

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

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

// hub tells of changes of all watched keys. From the first watch until the last stop it has one goroutine that reads
// and tells, and one that listens if there is something to listen with.
type hub struct {
	m      *Manager
	listen func(context.Context) (*pgx.Conn, error)
	poll   time.Duration
	log    *slog.Logger

	echoEvery, echoTimeout time.Duration

	mu   sync.Mutex
	keys map[string]*subject
	loop *loop // nil unless something is watched
}

// subject is a key that is watched.
type subject struct {
	watchers map[*watcher]struct{}
	due      bool // is to be read
}

// watcher is one caller's interest in one key.
type watcher struct {
	mu      sync.Mutex // held while changed runs
	changed func(lease.Record)
	told    seen
}

// seen is what distinguishes two states of a row. Its zero value is that of a row that does not exist.
type seen struct {
	lease lease.Lease
	ends  string
}

type loop struct {
	wake   chan struct{} // has one when there is something due
	prompt atomic.Bool   // whether LISTEN works
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (l *loop) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Watch calls changed with the record of key, now and after each change; see [lease.Watcher]. Changes of hands are told
// at once if Config.Listen is set and works; renewals and what a person has changed are told when the key is polled. A
// row that cannot be read is passed over; Acquire reports it.
func (m *Manager) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	return m.hub.add(key, changed), nil
}

func (h *hub) add(key string, changed func(lease.Record)) (stop func()) {
	me := &watcher{changed: changed}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys == nil {
		h.keys = map[string]*subject{}
	}
	s := h.keys[key]
	if s == nil {
		s = &subject{watchers: map[*watcher]struct{}{}}
		h.keys[key] = s
	}
	s.watchers[me], s.due = struct{}{}, true
	if h.loop == nil {
		h.begin()
	}
	h.loop.nudge()
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		h.remove(key, me)
	}
}

// begin starts the goroutines. h.mu is held.
func (h *hub) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	l := &loop{wake: make(chan struct{}, 1), cancel: cancel}
	h.loop = l
	l.wg.Go(func() { h.run(ctx, l) })
	if h.listen != nil {
		l.wg.Go(func() { h.hearken(ctx, l) })
	}
}

// remove forgets me, and ends the goroutines after the last.
func (h *hub) remove(key string, me *watcher) {
	h.mu.Lock()
	if s := h.keys[key]; s != nil {
		delete(s.watchers, me)
		if len(s.watchers) == 0 {
			delete(h.keys, key)
		}
	}
	var last *loop
	if len(h.keys) == 0 {
		last, h.loop = h.loop, nil
	}
	h.mu.Unlock()
	if last != nil {
		last.cancel()
		last.wg.Wait()
	}
}

// watched is what l is to tell of: nothing after its end, though there may be a loop after it whose news it must not
// overtake. h.mu is held.
func (h *hub) watched(l *loop) map[string]*subject {
	if h.loop != l {
		return nil
	}
	return h.keys
}

// hear has a key read soon if it is watched.
func (h *hub) hear(l *loop, key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.watched(l)[key]; s != nil {
		s.due = true
		l.nudge()
	}
}

// markAll has every watched key read soon.
func (h *hub) markAll(l *loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.watched(l) {
		s.due = true
	}
	l.nudge()
}

// run reads what is due, and everything at each poll. Anybody may send notifications: if there was nothing new behind
// one, the next has to wait a little.
func (h *hub) run(ctx context.Context, l *loop) {
	next := time.Now().Add(h.interval(l))
	var calm time.Duration
	for {
		polls := !time.Now().Before(next)
		if polls {
			h.markAll(l)
		}
		if soon := time.Now().Add(h.interval(l)); polls || soon.Before(next) { // or LISTEN has stopped working
			next = soon
		}
		told, err := h.readDue(ctx, l)
		switch {
		case err != nil: // what was due still is
			l.nudge()
			calm = min(h.poll, defaultPoll)
			if raced(err) {
				calm = min(rand.N(20*time.Millisecond), h.poll)
			}
		case told:
			calm = 0
		case !polls:
			calm = min(max(2*calm, time.Millisecond), h.poll/4, defaultPoll/4)
		}
		if !sleep(ctx, calm, nil) || !sleep(ctx, time.Until(next), l.wake) {
			return
		}
	}
}

// interval is how long until the next poll, a little different each time so that not all processes poll at once.
func (h *hub) interval(l *loop) time.Duration {
	every := h.poll
	if l.prompt.Load() {
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
func (h *hub) readDue(ctx context.Context, l *loop) (told bool, err error) {
	var due []string
	h.mu.Lock()
	for key, s := range h.watched(l) {
		if s.due {
			due = append(due, key)
			s.due = false
		}
	}
	h.mu.Unlock()
	for keys := range slices.Chunk(due, chunk) {
		rows, e := h.m.readMany(ctx, keys)
		if e != nil {
			err = e
			h.again(keys)
			continue
		}
		for _, key := range keys {
			told = h.tell(l, key, rows[key]) || told
		}
	}
	return told || len(due) == 0, err
}

// again makes keys due that could not be read.
func (h *hub) again(keys []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if s := h.keys[key]; s != nil {
			s.due = true
		}
	}
}

// tell tells those who watch a key of its row, nil if it has none, and reports whether it was news to anybody.
func (h *hub) tell(l *loop, key string, w *row) (told bool) {
	r, now := lease.Record{Lease: lease.Lease{Key: key}}, seen{}
	if w != nil {
		var err error
		if r, err = w.record(key); err != nil {
			return false
		}
		now = seen{r.Lease, w.ends.String}
	}
	h.mu.Lock()
	var all []*watcher
	if s := h.watched(l)[key]; s != nil {
		all = slices.Collect(maps.Keys(s.watchers))
	}
	h.mu.Unlock()
	for _, one := range all {
		told = one.call(r, now) || told
	}
	return told
}

func (w *watcher) call(r lease.Record, now seen) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil || w.told == now {
		return false
	}
	w.told = now
	w.changed(r)
	return true
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
