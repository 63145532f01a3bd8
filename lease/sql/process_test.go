//go:build linux

package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// span is one tenure as its process saw it, on the clock that all processes share.
type span struct {
	term       lease.Term
	start, end time.Duration
}

// spans reads what a contending child said; it goes on until the child's end.
func (c *child) spans(t *testing.T) (all []span) {
	for c.out.Scan() {
		var what string
		var term lease.Term
		var at, until time.Duration
		if n, _ := fmt.Sscan(c.out.Text(), &what, &term, &at, &until); n != 4 {
			t.Errorf("a child said: %s", c.out.Text())
			continue
		}
		switch what {
		case "grant":
			all = append(all, span{term, at, until})
		case "renew":
			all[len(all)-1].end = until
		case "end":
			all[len(all)-1].end = min(all[len(all)-1].end, at) // one that was stopped may say it after the end
		}
	}
	return all
}

func TestProcessesThatAreKilledAndStoppedNeverHoldOneKeyAtOnceAndTermsRise(t *testing.T) {
	t.Parallel()
	const processes, length, duration = 4, 250 * time.Millisecond, 12 * time.Second
	path := liteFile(t)
	r := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var history []span
	var wg sync.WaitGroup
	launch := func(seed uint64) *child {
		c := start(t, "contend", path, strconv.FormatUint(seed, 10), length.String())
		wg.Go(func() {
			spans := c.spans(t)
			mu.Lock()
			defer mu.Unlock()
			history = append(history, spans...)
		})
		return c
	}
	var running []*child
	seed := uint64(0)
	for ; seed < processes; seed++ {
		running = append(running, launch(seed))
	}
	kills := 0
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(history) >= 10 && kills >= 5
	}
	for begin := time.Now(); time.Since(begin) < duration || !enough() && time.Since(begin) < time.Minute; {
		time.Sleep(upTo(r, length))
		victim := r.IntN(processes)
		if r.IntN(2) == 0 { // stopped for longer than the lease lasts
			running[victim].signal(syscall.SIGSTOP)
			time.Sleep(length + upTo(r, length))
			running[victim].signal(syscall.SIGCONT)
			continue
		}
		running[victim].signal(syscall.SIGKILL)
		kills++
		running[victim] = launch(seed)
		seed++
	}
	for _, c := range running {
		c.signal(syscall.SIGKILL)
	}
	wg.Wait()
	slices.SortFunc(history, func(a, b span) int { return cmp.Compare(a.term, b.term) })
	for i := 1; i < len(history); i++ {
		a, b := history[i-1], history[i]
		if a.term == b.term {
			t.Errorf("term %d was granted twice", a.term)
		}
		if b.start < a.end {
			t.Errorf("term %d began %v before term %d had ended", b.term, a.end-b.start, a.term)
		}
	}
	if !enough() {
		t.Errorf("only %d tenures and %d kills: the test shows nothing", len(history), kills)
	}
	t.Logf("%d tenures, %d kills", len(history), kills)
	m := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	if _, err := m.Read(t.Context(), key); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatAnotherProcessHasLockedIsWaitedForAsLongAsTheContextLasts(t *testing.T) {
	t.Parallel()
	path := liteFile(t)
	m := open(t, Config{DB: lite(t, path, wal), Dialect: SQLite})
	held := acquire(t, m, alice, ttl)
	c := start(t, "block", path)
	c.line(t)
	c.signal(syscall.SIGSTOP)
	ctx := short(t)
	err := m.Renew(ctx, held, ttl)
	unknown(t, "renew", err)
	if !errors.Is(err, context.DeadlineExceeded) || !locked(err) {
		t.Errorf("renew = %v; want the end of the context, and that the database is locked", err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Renew(t.Context(), held, ttl) }()
	time.Sleep(50 * time.Millisecond)
	c.kill()
	if err := <-done; err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}
