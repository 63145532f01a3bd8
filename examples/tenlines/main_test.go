package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is main when the test starts itself as the program.
func TestMain(m *testing.M) {
	if os.Getenv("TENLINES") != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// process is the program, running, and the lines that it prints.
type process struct {
	*exec.Cmd
	lines chan string
}

func start(t *testing.T, dir string) process {
	t.Helper()
	p := process{exec.Command(os.Args[0], dir), make(chan string, 10)}
	p.Env = append(os.Environ(), "TENLINES=1")
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = p.Process.Kill(); <-read })
	return p
}

// leads waits for the line of a leader and returns the term.
func (p process) leads(t *testing.T, within time.Duration) (term string) {
	t.Helper()
	select {
	case line := <-p.lines:
		m := regexp.MustCompile(`^process \d+ leads, term (\d+)$`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("it printed %q", line)
		}
		return m[1]
	case <-time.After(within):
		t.Fatalf("nobody leads after %v", within)
		return ""
	}
}

// Real processes on a real directory. The last step takes a TTL, 15 s, since nobody can know sooner that a killed
// process is gone.
func TestTheSecondTerminalTakesOverFromTheFirst(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	if term := first.leads(t, 10*time.Second); term != "1" {
		t.Errorf("the first leads under term %s, want 1", term)
	}
	second := start(t, dir)
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if term := second.leads(t, 10*time.Second); term != "2" {
		t.Errorf("the second leads under term %s, want 2", term)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("the first ended with %v", err)
	}

	third := start(t, dir)
	if err := second.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait()
	if term := third.leads(t, 30*time.Second); term != "3" {
		t.Errorf("the third leads under term %s, want 3", term)
	}
	if err := third.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := third.Wait(); err != nil {
		t.Errorf("the third ended with %v", err)
	}
}
