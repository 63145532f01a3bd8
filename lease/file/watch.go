package file

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// watch tells of changed files. It has one goroutine, from the first add until the last stop.
type watch struct {
	dir    string
	poll   time.Duration
	source func(dir string) source

	mu   sync.Mutex
	keys map[string]map[*watched]struct{} // by name of file
	// fresh are those who have not been called yet.
	fresh []*watched
	loop  *loop // nil unless something is watched
}

// watched is one caller's interest in one file.
type watched struct {
	mu      sync.Mutex // held while changed runs
	changed func()     // nil once stopped
}

type loop struct {
	source source
	quit   chan struct{}
	done   chan struct{}
}

// source is how the system tells of changes in a directory.
type source interface {
	// wait returns the names of files that have changed, at the latest after the time it is given or after wake. all
	// means that any file may have.
	wait(most time.Duration) (names []string, all bool)
	// wake ends the present wait, or the next. It may be called from anywhere.
	wake()
	// prompt reports whether changes are told at once, so that polling may be rare.
	prompt() bool
	close()
}

// add has changed called once soon and then after each change of the file, until stop.
func (w *watch) add(file string, changed func()) (stop func()) {
	me := &watched{changed: changed}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		w.keys = map[string]map[*watched]struct{}{}
	}
	if w.keys[file] == nil {
		w.keys[file] = map[*watched]struct{}{}
	}
	w.keys[file][me] = struct{}{}
	w.fresh = append(w.fresh, me)
	if w.loop == nil {
		w.loop = &loop{source: w.source(w.dir), quit: make(chan struct{}), done: make(chan struct{})}
		go w.run(w.loop)
	} else {
		w.loop.source.wake()
	}
	return func() {
		me.mu.Lock() // waits for a call that is running
		me.changed = nil
		me.mu.Unlock()
		w.remove(file, me)
	}
}

// remove forgets me, and ends the goroutine after the last.
func (w *watch) remove(file string, me *watched) {
	w.mu.Lock()
	delete(w.keys[file], me)
	if len(w.keys[file]) == 0 {
		delete(w.keys, file)
	}
	var last *loop
	if len(w.keys) == 0 {
		last, w.loop, w.fresh = w.loop, nil, nil
	}
	w.mu.Unlock()
	if last != nil {
		close(last.quit)
		last.source.wake()
		<-last.done
	}
}

func (w *watch) run(l *loop) {
	defer close(l.done)
	defer l.source.close()
	every := w.poll
	if l.source.prompt() {
		every *= 10
	}
	next := time.Now().Add(every)
	for {
		w.tell(l, nil, false) // those who were added meanwhile
		names, all := l.source.wait(max(time.Until(next), 0))
		select {
		case <-l.quit:
			return
		default:
		}
		if !time.Now().Before(next) {
			all, next = true, time.Now().Add(every)
		}
		w.tell(l, names, all)
	}
}

// tell calls those who are new, and those who are interested in names, or everybody.
func (w *watch) tell(l *loop, names []string, all bool) {
	w.mu.Lock()
	var call []*watched
	if w.loop == l {
		call, w.fresh = w.fresh, nil
		if all {
			names = slices.Collect(maps.Keys(w.keys))
		}
		for _, name := range names {
			call = slices.AppendSeq(call, maps.Keys(w.keys[name]))
		}
	}
	w.mu.Unlock()
	for _, one := range call {
		one.call()
	}
}

func (w *watched) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != nil {
		w.changed()
	}
}
