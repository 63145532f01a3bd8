//go:build linux

package sql

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
)

// children are what copies of the test binary do. They tell on standard output what they do, one line each.
var children = map[string]func(args []string) error{"contend": contend, "block": block}

// child is a process that a test has started.
type child struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func start(t *testing.T, what string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], args...)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+what)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	t.Cleanup(c.kill)
	return c
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// kill ends the child as no program can prevent.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	_ = c.cmd.Wait() // it was killed: that is no news
}

// line returns the child's next line, split into words.
func (c *child) line(t *testing.T) []string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatal("the child said nothing more")
	}
	return strings.Fields(c.out.Text())
}

// say tells the parent, in one write, so that a kill cannot tear it.
func say(words ...any) { _, _ = os.Stdout.WriteString(fmt.Sprintln(words...)) }

// uptime is the clock that all processes of this host share.
func uptime() time.Duration {
	now, _ := bootclock.Now()
	return now
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// contend takes the lease again and again, holds it for a while, renews, and releases it or lets it run out.
func contend(args []string) error {
	seed, _ := strconv.ParseUint(args[1], 10, 64)
	length, _ := time.ParseDuration(args[2])
	db, err := sql.Open("sqlite", "file:"+args[0]+"?"+wal)
	if err != nil {
		return err
	}
	m, err := New(Config{DB: db, Dialect: SQLite})
	if err == nil {
		err = m.Migrate(context.Background())
	}
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	h, ctx := lease.Holder{Name: "child-" + args[1], Incarnation: strconv.Itoa(os.Getpid())}, context.Background()
	for {
		sent := uptime()
		l, err := m.Acquire(ctx, key, h, length)
		if busy(err) || errors.Is(err, lease.ErrHeld) {
			time.Sleep(time.Millisecond + upTo(r, 10*time.Millisecond))
			continue
		}
		if err != nil {
			return err
		}
		until := sent + length
		say("grant", l.Term, int64(uptime()), int64(until))
		for range r.IntN(6) {
			time.Sleep(upTo(r, length/4))
			sent = uptime()
			if err := m.Renew(ctx, l, length); errors.Is(err, lease.ErrLost) {
				break
			} else if err != nil && !busy(err) {
				return err
			} else if err == nil {
				until = sent + length
				say("renew", l.Term, int64(uptime()), int64(until))
			}
		}
		if r.IntN(4) == 0 {
			time.Sleep(until - uptime()) // lets it run out
			continue
		}
		say("end", l.Term, int64(uptime()), 0)
		if err := m.Release(ctx, l); err != nil && !errors.Is(err, lease.ErrLost) && !busy(err) {
			return err
		}
	}
}

// block has the database locked until it is killed.
func block(args []string) error {
	db, err := sql.Open("sqlite", "file:"+args[0]+"?"+wal)
	if err != nil {
		return err
	}
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	say("locked")
	select {}
}
