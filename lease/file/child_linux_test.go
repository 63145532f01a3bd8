package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
)

// childEnv makes a copy of the test binary a child: its value says what to do.
const childEnv = "TENURE_FILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := children[what](os.Args[1:]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// children are what copies of the test binary do: they take their arguments from the command line, tell on standard
// output what they do, one line each, and end with standard input.
var children = map[string]func(args []string) error{
	"contend": contend,
	"hold":    hold,
	"block":   block,
	"full":    fillUp,
	"nobody":  asNobody,
}

// child is a process that a test has started.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func start(t *testing.T, what string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], args...)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+what)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
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

func holder(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: strconv.Itoa(os.Getpid())}
}

// contend takes the lease again and again, holds it for a while, renews, and releases it or lets it run out.
func contend(args []string) error {
	seed, _ := strconv.ParseUint(args[1], 10, 64)
	length, _ := time.ParseDuration(args[2])
	m, err := New(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	h, ctx := holder("child-"+args[1]), context.Background()
	for {
		sent := uptime()
		l, err := m.Acquire(ctx, key, h, length)
		var held *lease.HeldError
		if errors.As(err, &held) {
			time.Sleep(min(held.Record.Remaining, upTo(r, 5*time.Millisecond)+time.Millisecond))
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
			} else if err != nil {
				return err
			}
			until = sent + length
			say("renew", l.Term, int64(uptime()), int64(until))
		}
		if r.IntN(4) == 0 {
			time.Sleep(until - uptime()) // lets it run out
			continue
		}
		say("end", l.Term, int64(uptime()), 0)
		if err := m.Release(ctx, l); err != nil && !errors.Is(err, lease.ErrLost) {
			return err
		}
	}
}

// hold takes the lease and does what it is told: "release", or "renew".
func hold(args []string) error {
	length, _ := time.ParseDuration(args[1])
	m, err := New(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	l, err := m.Acquire(context.Background(), key, holder("child"), length)
	if err != nil {
		return err
	}
	say("granted", l.Term)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		at := uptime()
		switch in.Text() {
		case "release":
			err = m.Release(context.Background(), l)
		case "renew":
			err = m.Renew(context.Background(), l, length)
		case "acquire":
			l, err = m.Acquire(context.Background(), key, l.Holder, length)
		}
		say("done", int64(at), errors.Is(err, lease.ErrLost), err == nil)
	}
	return in.Err()
}

// block takes the lock of the key and keeps it until it is killed.
func block(args []string) error {
	unlock, err := newDir(Config{Dir: args[0]}, args[0]).lock(context.Background(), key)
	if err != nil {
		return err
	}
	defer unlock()
	say("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// fillUp renews while files may not grow beyond a few bytes, which is how a full disk looks: half a record is written.
func fillUp(args []string) error {
	m, err := New(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	ctx := context.Background()
	l, err := m.Acquire(ctx, key, holder("child"), time.Minute)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var none syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 20, Max: none.Max}); err != nil {
		return err
	}
	err = m.Renew(ctx, l, time.Minute)
	say("full", errors.Is(err, lease.ErrPermanent), err)
	r, err := m.Read(ctx, key)
	say("record", r.Lease == l, err == nil)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		return err
	}
	say("room", m.Renew(ctx, l, time.Minute) == nil)
	return nil
}

// asNobody opens a directory as a user who owns nothing, if it can become one.
func asNobody(args []string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	for _, dir := range args {
		_, err := New(Config{Dir: dir, Create: true})
		say("new", errors.Is(err, lease.ErrPermanent), err)
	}
	return nil
}

// upTo draws a time of less than most.
func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}
