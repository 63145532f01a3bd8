//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/lease"
)

// set is a resource that only the leader may change: whoever does reads it, and writes back what it read and one
// element more. Two who do that at once lose elements. It is the workload of Jepsen's tests of locks.
type set struct {
	fenced  bool
	top     lease.Term // the greatest term that was seen
	present []string
	written []string
	refused int
}

// read returns how many elements there are. It fails for a term that has ended, if the set is fenced.
func (s *set) read(term lease.Term) (int, bool) {
	if s.stale(term) {
		return 0, false
	}
	return len(s.present), true
}

// write replaces the set by its first n elements and one more.
func (s *set) write(term lease.Term, n int, element string) bool {
	if s.stale(term) || n < 0 || n > len(s.present) {
		return false
	}
	s.present = append(s.present[:n], element)
	s.written = append(s.written, element)
	return true
}

func (s *set) stale(term lease.Term) bool {
	if s.fenced && term < s.top {
		s.refused++
		return true
	}
	s.top = max(s.top, term)
	return false
}

// lost counts the elements that were written and are gone.
func (s *set) lost() int {
	have := map[string]bool{}
	for _, e := range s.present {
		have[e] = true
	}
	return len(slices.DeleteFunc(slices.Clone(s.written), func(e string) bool { return have[e] }))
}

// resource serves two sets, one of them fenced, to the processes of one election.
type resource struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	sets   map[string]*set
	conns  map[net.Conn]bool
	leader string // who last changed the fenced set
	term   lease.Term
	last   hostclock.Instant // when
}

func newResource(path string) (*resource, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	r := &resource{listener: l, sets: map[string]*set{"plain": {}, "fenced": {fenced: true}}, conns: map[net.Conn]bool{}}
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(c) })
		}
	})
	return r, nil
}

func (r *resource) serve(c net.Conn) {
	r.mu.Lock()
	r.conns[c] = true
	r.mu.Unlock()
	defer func() { _ = c.Close() }()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if _, err := fmt.Fprintln(c, r.answer(lines.Text())); err != nil {
			return
		}
	}
}

// answer carries out "r SET TERM WHO" and "w SET TERM WHO N ELEMENT".
func (r *resource) answer(line string) string {
	var op, name, who, element string
	var term lease.Term
	var n int
	if got, _ := fmt.Sscanf(line, "%s %s %d %s %d %s", &op, &name, &term, &who, &n, &element); got < 4 {
		return "what?"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sets[name]
	switch {
	case s == nil:
		return "what?"
	case op == "r":
		if n, ok := s.read(term); ok {
			return fmt.Sprint(n)
		}
	case op == "w":
		if s.write(term, n, element) {
			if s.fenced {
				r.leader, r.term, r.last = who, term, hostclock.Now()
			}
			return "ok"
		}
	}
	return "refused"
}

// led returns who last acted as the leader, under which term, and when.
func (r *resource) led() (string, lease.Term, hostclock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader, r.term, r.last
}

func (r *resource) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}
