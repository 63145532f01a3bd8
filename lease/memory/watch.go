package memory

import (
	"container/heap"
	"errors"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// watch is one call of Watch. Its goroutine exists only while there is something to tell. All fields but at and index
// are guarded by the mutex of the key's shard, those two by that of the alarm.
type watch struct {
	m       *Manager
	key     string
	r       *record
	changed func(lease.Record)
	next    *watch // of the same key
	dirty   bool   // the record has changed since it was last told
	running bool   // run is being executed
	stopped bool
	idle    chan struct{} // closed when running ends, if stop waits for it

	at    time.Duration // when to look whether the lease has run out
	index int           // in the alarm's queue, from 1; 0: not queued
}

// Watch calls changed with the present record of key, unless the key has never been held, and again at each grant,
// release and Assign, and when the lease runs out. Renewals are not told. Only the newest record is told: what changes
// while changed runs is told once, after it.
//
// changed runs in a goroutine that ends when there is nothing more to tell; a slow one holds up nobody else. It may
// be called before Watch returns. It must not call the Manager or stop. Nothing is held while it runs, so that the
// only way to wait for ever is to call stop while holding what changed waits for.
func (m *Manager) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	if changed == nil {
		return nil, lease.Permanent(errors.New("lease/memory: watch needs a function to call; it is nil"))
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(key)
	w := &watch{m: m, key: key, r: r, changed: changed, next: r.watches}
	r.watches = w
	if r.term > 0 {
		w.tell()
	}
	if m.now() < r.until {
		m.alarm.set(m, w, r.until)
	}
	return w.stop, nil
}

// stop ends the watch. It waits for changed to return if it is being called. It may be called again.
func (w *watch) stop() {
	s := w.m.shard(w.key)
	s.mu.Lock()
	if !w.stopped {
		w.stopped = true
		w.unlink(s)
		w.m.alarm.clear(w.m, w)
	}
	if w.running && w.idle == nil {
		w.idle = make(chan struct{})
	}
	running, idle := w.running, w.idle
	s.mu.Unlock()
	if running {
		<-idle
	}
}

// unlink takes w out of its record, and forgets a key that was only watched.
func (w *watch) unlink(s *shard) {
	p := &w.r.watches
	for *p != w {
		p = &(*p).next
	}
	*p = w.next
	if w.r.watches == nil && w.r.term == 0 {
		delete(s.keys, w.key)
	}
}

// tell has all who watch r told of it, and of its running out. The caller holds the shard's mutex.
func (m *Manager) tell(r *record) {
	if r.watches == nil {
		return
	}
	live := m.now() < r.until
	for w := r.watches; w != nil; w = w.next {
		w.tell()
		if live {
			m.alarm.set(m, w, r.until)
		} else {
			m.alarm.clear(m, w)
		}
	}
}

// advance brings the alarms of r forward after its lease became shorter. Those that are too early see so themselves.
func (m *Manager) advance(r *record) {
	for w := r.watches; w != nil; w = w.next {
		m.alarm.set(m, w, r.until)
	}
}

// tell has changed called with the newest record. The caller holds the shard's mutex.
func (w *watch) tell() {
	w.dirty = true
	if !w.running {
		w.running = true
		go w.run()
	}
}

// run calls changed until it knows the newest record.
func (w *watch) run() {
	defer w.end() // also when changed ends the goroutine, as a failing test does
	for {
		known, more := w.take()
		if !more {
			return
		}
		w.changed(known)
	}
}

// take returns what changed has not been told yet.
func (w *watch) take() (known lease.Record, more bool) {
	s := w.m.shard(w.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.dirty || w.stopped {
		return known, false
	}
	w.dirty = false
	return w.r.known(w.key, w.m.now()), true
}

// end lets stop return, and starts over if there has been news since.
func (w *watch) end() {
	s := w.m.shard(w.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.dirty && !w.stopped {
		go w.run()
		return
	}
	w.running = false
	if w.idle != nil {
		close(w.idle)
	}
}

// look tells of a lease that has run out, or sets the alarm anew if it has been renewed.
func (w *watch) look() {
	s := w.m.shard(w.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.stopped:
	case w.m.now() < w.r.until:
		w.m.alarm.set(w.m, w, w.r.until)
	default:
		w.tell()
	}
}

// alarm wakes watches when their leases may have run out: one timer for all of them, armed only while there are any.
// Its mutex is taken after that of a shard, never before. A renewal leaves the queue alone; the watch that is woken
// too early queues again, which is once per lease length and not once per renewal.
type alarm struct {
	mu    sync.Mutex
	queue queue
	timer *clock.Timer  // nil: none is pending
	due   time.Duration // when timer fires
}

// set has w woken at the instant at, or leaves it queued if it will be woken sooner.
func (a *alarm) set(m *Manager, w *watch, at time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case w.index == 0:
		w.at = at
		heap.Push(&a.queue, w)
	case at < w.at:
		w.at = at
		heap.Fix(&a.queue, w.index-1)
	}
	a.arm(m)
}

// clear takes w out of the queue.
func (a *alarm) clear(m *Manager, w *watch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.index > 0 {
		heap.Remove(&a.queue, w.index-1)
	}
	a.arm(m)
}

// arm sees to it that the timer fires no later than the first alarm, and that there is none without an alarm.
func (a *alarm) arm(m *Manager) {
	if a.timer != nil && (len(a.queue) == 0 || a.queue[0].at < a.due) {
		a.timer.Stop()
		a.timer = nil
	}
	if a.timer == nil && len(a.queue) > 0 {
		a.due = a.queue[0].at
		a.timer = m.clk.AfterFunc(max(1, a.due-m.now()), func() { a.fire(m) })
	}
}

// fire wakes every watch whose time has come. It runs on a goroutine of the clock; coming too early or twice is
// harmless.
func (a *alarm) fire(m *Manager) {
	var due []*watch
	a.mu.Lock()
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	for now := m.now(); len(a.queue) > 0 && a.queue[0].at <= now; {
		due = append(due, heap.Pop(&a.queue).(*watch))
	}
	a.arm(m)
	a.mu.Unlock()
	for _, w := range due {
		w.look()
	}
}

// queue is a heap of watches, the one to be woken first at the top.
type queue []*watch

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i+1, j+1
}

func (q *queue) Push(x any) {
	w := x.(*watch)
	*q = append(*q, w)
	w.index = len(*q)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.index = 0
	return w
}
