//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asCommand makes the test binary be the command: the very code, with the race detector in it, as processes of its
// own.
const asCommand = "TENURE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(command0(os.Args[1:], os.Stdout, os.Stderr))
	}
	// A program built with the race detector lingers for a second before it ends, unless it is told not to.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	heed()
	goleak.VerifyTestMain(m)
}

// heed undoes that signals are ignored, as nohup and a shell's & leave them: what the tests start would ignore them,
// too, and there is no other way to change that than to listen to them here.
func heed() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// proc is a tenure process.
type proc struct {
	cmd      *exec.Cmd
	out, err *buffer
	done     chan struct{}
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tenure returns a command that has not been started. Scripts find the command at $TENURE.
func tenure(t *testing.T, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(self(t), args...), out: &buffer{}, err: &buffer{}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asCommand+"=1", "TENURE="+self(t))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	// What is left of the output is of no interest once the process has ended.
	p.cmd.WaitDelay = 2 * time.Second
	return p
}

func (p *proc) start(t *testing.T) *proc {
	t.Helper()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%v\nstdout: %s\nstderr: %s", p.cmd.Args[1:], p.out, p.err)
		}
	})
	return p
}

func start(t *testing.T, args ...string) *proc {
	t.Helper()
	return tenure(t, args...).start(t)
}

// longest is how long the tests wait for anything: longer than it takes on a busy machine. What must not come about by
// itself, such as the end of a lease or of a grace, is set to come later.
const longest = 20 * time.Second

// status waits for the process to end and returns its exit code.
func (p *proc) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(longest):
		t.Fatalf("still runs after %v", longest)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *proc) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// call runs the command to its end.
func call(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	p := start(t, args...)
	status = p.status(t)
	return status, p.out.String(), p.err.String()
}

// newStore returns a directory and the address of a store in it.
func newStore(t *testing.T) (dir, address string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, "file:" + filepath.Join(dir, "store")
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > longest {
			t.Fatalf("%s: not within %v", what, longest)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begin)
}

// read returns the text of a file, or "" if there is none.
func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// awaitLine waits until the file has a line that contains s.
func awaitLine(t *testing.T, path, s string) time.Duration {
	t.Helper()
	return eventually(t, path+" says "+s, func() bool { return strings.Contains(read(path), s) })
}
