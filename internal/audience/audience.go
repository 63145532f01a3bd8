package audience

import (
	"context"
	"slices"
	"sync"

	"github.com/go-tenure/tenure/lease"
)

// Audience is who watches which key. Make it with [New]. Any goroutine may use it.
type Audience[T any] struct {
	serve func(context.Context, *Loop[T])

	mu   sync.Mutex
	keys map[string]*topic[T]
	loop *Loop[T]      // nil unless something is watched
	done chan struct{} // closed when the latest call of serve has returned; nil before the first
}

// topic is a key that is watched.
type topic[T any] struct {
	state     T
	listeners []*listener
}

// listener is one watch of a key.
type listener struct {
	mu      sync.Mutex         // held while changed runs
	changed func(lease.Record) // nil once stopped
	told    any                // the state that it was told of last; nil before the first
}

// Loop is the time from a first watch until the last one stops. Once that has happened it has no keys any more, and
// tells nobody anything: what is watched then belongs to the next.
type Loop[T any] struct {
	a      *Audience[T]
	end    context.CancelFunc
	wake   chan struct{}
	joined map[string]struct{}
}

// New returns an audience of nobody. serve tells those who watch, until its context ends; T is what it remembers of a
// key, the zero value at first. It is called anew after every time that nobody watched, and never twice at once.
func New[T any](serve func(context.Context, *Loop[T])) *Audience[T] {
	return &Audience[T]{serve: serve, keys: map[string]*topic[T]{}}
}

// Add has changed called with what becomes known of key, until stop is called; both as in [lease.Watcher].
func (a *Audience[T]) Add(key string, changed func(lease.Record)) (stop func()) {
	me := &listener{changed: changed}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys[key] == nil {
		a.keys[key] = &topic[T]{}
	}
	a.keys[key].listeners = append(a.keys[key].listeners, me)
	if a.loop == nil {
		a.begin()
	}
	a.loop.joined[key] = struct{}{}
	a.loop.Nudge()
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		a.remove(key, me)
	}
}

// begin starts the goroutine. a.mu is held.
func (a *Audience[T]) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Loop[T]{a: a, end: cancel, wake: make(chan struct{}, 1), joined: map[string]struct{}{}}
	before, done := a.done, make(chan struct{})
	a.loop, a.done = l, done
	go func() {
		defer close(done)
		defer cancel()
		if before != nil {
			<-before
		}
		a.serve(ctx, l)
	}()
}

// remove forgets me, and ends the goroutine after the last.
func (a *Audience[T]) remove(key string, me *listener) {
	a.mu.Lock()
	if t := a.keys[key]; t != nil {
		t.listeners = slices.DeleteFunc(t.listeners, func(l *listener) bool { return l == me })
		if len(t.listeners) == 0 {
			delete(a.keys, key)
		}
	}
	var last *Loop[T]
	if len(a.keys) == 0 {
		last, a.loop = a.loop, nil
	}
	done := a.done
	a.mu.Unlock()
	if last != nil {
		last.end()
		<-done
	}
}

// Loop returns the present loop, nil if nobody watches.
func (a *Audience[T]) Loop() *Loop[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loop
}

// Wake has one signal when somebody has been added, or after [Loop.Nudge].
func (l *Loop[T]) Wake() <-chan struct{} { return l.wake }

// Nudge has Wake signal. Any goroutine may call it.
func (l *Loop[T]) Nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Joined returns the keys that somebody has begun to watch since it was last called, whoever else watches them.
func (l *Loop[T]) Joined() []string {
	var keys []string
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	for key := range l.joined {
		if l.topic(key) != nil {
			keys = append(keys, key)
		}
	}
	clear(l.joined)
	return keys
}

// topic returns what is watched under key, nil if nobody does. a.mu is held.
func (l *Loop[T]) topic(key string) *topic[T] {
	if l.a.loop != l {
		return nil
	}
	return l.a.keys[key]
}

// Each calls f with what is remembered of each key, until it returns false. f runs under a lock: it must be quick and
// call nothing of this package. Any goroutine may call it.
func (l *Loop[T]) Each(f func(key string, state *T) bool) {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	if l.a.loop != l {
		return
	}
	for key, t := range l.a.keys {
		if !f(key, &t.state) {
			return
		}
	}
}

// Keys returns all keys.
func (l *Loop[T]) Keys() []string {
	var keys []string
	l.Each(func(key string, _ *T) bool {
		keys = append(keys, key)
		return true
	})
	return keys
}

// With calls f with what is remembered of key, and reports whether it is watched. It is like [Loop.Each] otherwise.
func (l *Loop[T]) With(key string, f func(state *T)) bool {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	t := l.topic(key)
	if t != nil {
		f(&t.state)
	}
	return t != nil
}

// Tell tells those who watch key of r, except whom it has told of the same state before, and reports whether there was
// anybody. state is comparable; nil is the state that everybody knows at first. Only serve's goroutine may call it.
func (l *Loop[T]) Tell(key string, state any, r lease.Record) (told bool) {
	l.a.mu.Lock()
	var all []*listener
	if t := l.topic(key); t != nil {
		all = slices.Clone(t.listeners)
	}
	l.a.mu.Unlock()
	for _, one := range all {
		told = one.tell(state, r) || told
	}
	return told
}

func (l *listener) tell(state any, r lease.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil || l.told == state {
		return false
	}
	l.told = state
	l.changed(r)
	return true
}
