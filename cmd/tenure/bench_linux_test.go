package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

// stand is some tenures of one election, and a store through which to look at it.
type stand struct {
	b       *testing.B
	dir     string
	address string
	ttl     time.Duration
	store   *store.Store
	procs   map[string]*exec.Cmd
}

func newStand(b *testing.B, ttl time.Duration) *stand {
	dir := b.TempDir()
	if err := os.Mkdir(dir+"/store", 0o700); err != nil {
		b.Fatal(err)
	}
	s := &stand{b: b, dir: dir, address: "file:" + dir + "/store", ttl: ttl, procs: map[string]*exec.Cmd{}}
	var err error
	if s.store, err = store.Open(s.address); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"node-a", "node-b"} {
		s.enter(name)
	}
	b.Cleanup(func() {
		for _, p := range s.procs {
			p.Process.Signal(syscall.SIGTERM)
			p.Wait()
		}
	})
	s.up(1)
	return s
}

// enter starts a tenure whose command notes each term in a file.
func (s *stand) enter(name string) {
	path, err := os.Executable()
	if err != nil {
		s.b.Fatal(err)
	}
	p := exec.Command(path, "run", "--store", s.address, "--name", name, "--ttl", s.ttl.String(), "k", "--",
		"sh", "-c", "echo up > "+s.dir+"/$TENURE_TERM; exec sleep 1000")
	p.Env = append(os.Environ(), asCommand+"=1")
	if err := p.Start(); err != nil {
		s.b.Fatal(err)
	}
	s.procs[name] = p
}

// up waits until the command of a term runs, or of a later one, and returns which.
func (s *stand) up(term lease.Term) lease.Term {
	for begin := time.Now(); time.Since(begin) < 10*s.ttl; time.Sleep(200 * time.Microsecond) {
		for t := term; t < term+4; t++ {
			if _, err := os.Stat(fmt.Sprintf("%s/%d", s.dir, t)); err == nil {
				return t
			}
		}
	}
	s.b.Fatalf("term %d does not begin", term)
	return 0
}

func (s *stand) leader() lease.Record {
	r, err := s.store.Read(s.b.Context(), "k")
	if err != nil || r.Vacant() {
		s.b.Fatalf("nobody leads: %+v, %v", r, err)
	}
	return r
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
	b.ReportMetric(0, "ns/op")
}

// From the request to resign to the first line of the successor's command, between two processes over a directory.
func BenchmarkHandoverBetweenProcesses(b *testing.B) {
	s := newStand(b, 5*time.Second)
	var took []time.Duration
	for term := lease.Term(1); b.Loop(); {
		time.Sleep(100 * time.Millisecond) // Let the guardian of the next term get ready.
		r := s.leader()
		begin := time.Now()
		a, err := control.Ask(b.Context(), control.PathIn(r.Holder.Meta),
			control.Request{Ask: control.Resign, Key: "k", Term: r.Term})
		if err != nil || a.Err != "" {
			b.Fatal(a.Err, err)
		}
		term = s.up(term + 1)
		took = append(took, time.Since(begin))
	}
	report(b, took)
}

// From the end of the lease of a leader that was killed to the first line of the successor's command.
func BenchmarkCrashFailoverBetweenProcesses(b *testing.B) {
	s := newStand(b, time.Second)
	var took []time.Duration
	for term := lease.Term(1); b.Loop(); {
		time.Sleep(100 * time.Millisecond)
		name := s.leader().Holder.Name
		p := s.procs[name]
		p.Process.Kill()
		p.Wait()
		end := time.Now().Add(s.leader().Remaining)
		term = s.up(term + 1)
		took = append(took, max(0, time.Since(end)))
		s.enter(name)
	}
	report(b, took)
}
