package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
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

func TestProcessesThatAreKilledAtAnyInstantNeverHoldOneKeyAtOnceAndTermsRise(t *testing.T) {
	const processes, length, duration = 5, 60 * time.Millisecond, 5 * time.Second
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var history []span
	var wg sync.WaitGroup
	kills := 0
	launch := func(seed uint64) *child {
		c := start(t, "contend", dir, strconv.FormatUint(seed, 10), length.String())
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
	quit := make(chan struct{})
	wg.Go(func() { readAll(t, dir, quit) })
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(history) >= 20 && kills >= 10
	}
	for begin := time.Now(); time.Since(begin) < duration || !enough() && time.Since(begin) < time.Minute; {
		time.Sleep(upTo(r, 60*time.Millisecond))
		victim := r.IntN(processes)
		if r.IntN(3) == 0 { // stopped for longer than the lease lasts
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
	close(quit)
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
	if _, err := open(t, dir).Read(t.Context(), key); err != nil {
		t.Error(err)
	}
}

// readAll reads the record all the time: it is always whole, and its term never falls.
func readAll(t *testing.T, dir string, quit chan struct{}) {
	var last lease.Term
	for {
		select {
		case <-quit:
			return
		case <-time.After(time.Millisecond):
		}
		value, err := os.ReadFile(filepath.Join(dir, "k-billing.json"))
		if errors.Is(err, os.ErrNotExist) && last == 0 {
			continue
		}
		var b register.Body
		if err == nil {
			b, err = register.Decode(key, value)
		}
		if err != nil || b.Term < last {
			t.Errorf("after term %d the record is %+v, %v", last, b, err)
			return
		}
		last = b.Term
	}
}

func TestAProcessThatWasStoppedPastItsLeaseFindsItLost(t *testing.T) {
	const length = 200 * time.Millisecond
	m := open(t, t.TempDir())
	c := start(t, "hold", m.dir.path, length.String())
	if got := c.line(t); got[0] != "granted" {
		t.Fatal(got)
	}
	c.signal(syscall.SIGSTOP)
	l := wait(t, m)
	c.signal(syscall.SIGCONT)
	for _, op := range []string{"renew", "release"} {
		_, _ = io.WriteString(c.in, op+"\n")
		if got := c.line(t); got[0] != "done" || got[2] != "true" {
			t.Errorf("%s: %v", op, got)
		}
	}
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Error(err)
	}
}

// wait acquires the lease when it is free, as a follower does: it looks, and comes back when the lease should be over.
func wait(t *testing.T, m *Manager) lease.Lease {
	t.Helper()
	for range 1000 {
		l, err := m.Acquire(t.Context(), key, alice, ttl)
		var held *lease.HeldError
		switch {
		case err == nil:
			return l
		case errors.As(err, &held):
			time.Sleep(held.Record.Remaining)
		default:
			t.Fatal(err)
		}
	}
	t.Fatal("never free")
	return lease.Lease{}
}

func TestACrashedHoldersLeaseIsTakenAtItsEndByANewcomer(t *testing.T) {
	const length, rounds = 150 * time.Millisecond, 10
	var late []time.Duration
	for range rounds {
		dir := t.TempDir()
		c := start(t, "hold", dir, length.String())
		c.line(t)
		_, _ = io.WriteString(c.in, "renew\n")
		sent, _ := strconv.ParseInt(c.line(t)[1], 10, 64)
		c.kill()
		l := wait(t, open(t, dir)) // has never seen this record
		over := uptime() - time.Duration(sent) - length
		if over < 0 {
			t.Errorf("taken %v before its end, under term %d", -over, l.Term)
		}
		late = append(late, over)
	}
	slices.Sort(late)
	t.Logf("lateness: median %v, worst %v", late[rounds/2], late[rounds-1])
	if late[0] > defaultPoll { // the machine may be slow at times, but not at each
		t.Errorf("the first of all takeovers was %v after the end", late[0])
	}
}

func TestAReleaseHandsOverToAnotherProcessInLessThanTwentyMilliseconds(t *testing.T) {
	const rounds = 20
	m, err := New(Config{Dir: t.TempDir(), Poll: time.Hour}) // so that it is told
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "hold", m.dir.path, "1m")
	c.line(t)
	vacant := make(chan struct{}, 1)
	stop, err := m.Watch(key, func(r lease.Record) {
		if r.Vacant() {
			select {
			case vacant <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var took []time.Duration
	for range rounds {
		_, _ = io.WriteString(c.in, "release\n")
		<-vacant
		l, err := m.Acquire(t.Context(), key, bob, ttl)
		at := uptime()
		if err != nil {
			t.Fatal(err)
		}
		sent, _ := strconv.ParseInt(c.line(t)[1], 10, 64)
		took = append(took, at-time.Duration(sent))
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		<-vacant
		_, _ = io.WriteString(c.in, "acquire\n")
		if got := c.line(t); got[3] != "true" {
			t.Fatal(got)
		}
	}
	slices.Sort(took)
	t.Logf("handover: median %v, worst %v", took[rounds/2], took[rounds-1])
	if took[0] > 20*time.Millisecond { // the machine may be slow at times, but not at each
		t.Errorf("the quickest handover took %v", took[0])
	}
}

func TestALockOfAStoppedProcessIsReportedWithItsNumber(t *testing.T) {
	m, err := New(Config{Dir: t.TempDir(), Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "block", m.dir.path)
	c.line(t)
	_, err = m.Acquire(t.Context(), key, alice, ttl)
	helpful(t, err, false, fmt.Sprintf("process %d is busy with", c.cmd.Process.Pid), "waited 50ms")
	c.signal(syscall.SIGSTOP)
	await(t, "the stop", func() bool { _, state := lockHolder(m.dir.file(key, ".lock")); return state == "T" })
	_, err = m.Acquire(t.Context(), key, alice, ttl)
	helpful(t, err, true, fmt.Sprintf("process %d is stopped", c.cmd.Process.Pid),
		fmt.Sprintf("kill -CONT %d", c.cmd.Process.Pid))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err = m.Acquire(ctx, key, alice, ttl); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it returned %v", err)
	}
	c.kill()
	acquire(t, m, alice) // the kernel has dropped the lock
}

func TestAFullDiskLosesNothingAndSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "full", dir)
	full := strings.Join(c.line(t), " ")
	for _, part := range []string{"full false ", "free some space", dir} {
		if !strings.Contains(full, part) {
			t.Errorf("%q is missing in: %s", part, full)
		}
	}
	for _, want := range []string{"record true true", "room true"} {
		if got := strings.Join(c.line(t), " "); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "k-billing.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a record was left behind: %v", err)
	}
}

func TestADirectoryOfAnotherUserIsAnErrorThatSaysWhatToDo(t *testing.T) {
	base := t.TempDir()
	closed := filepath.Join(base, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	for dir := base; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(dir, os.TempDir()+"/") { // the test's own: let anybody pass, but not write
			if err := os.Chmod(dir, info.Mode().Perm()&^0o222|0o555); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer func() { _ = os.Chmod(base, 0o700) }() // so that it can be removed
	c := start(t, "nobody", closed, filepath.Join(base, "missing"))
	for range 2 {
		got := strings.Join(c.line(t), " ")
		for _, part := range []string{"new true ", "cannot be written by this user; run as its owner"} {
			if !strings.Contains(got, part) {
				t.Errorf("%q is missing in: %s", part, got)
			}
		}
	}
}
