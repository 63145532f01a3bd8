//go:build linux

package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary is the server, too: an echo that counts its starts in its data directory and has a child in a session
// of its own, as PostgreSQL's backends are.
func TestMain(m *testing.M) {
	switch os.Getenv("SERVERS_TEST_ROLE") {
	case "echo":
		echo()
	case "child":
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		select {}
	default:
		goleak.VerifyTestMain(m)
	}
}

func echo() {
	fmt.Println("echo starts")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SERVERS_TEST_ROLE=child")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f, _ := os.OpenFile("starts", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprintln(f, child.Process.Pid)
	l, err := net.Listen("tcp", os.Getenv("SERVERS_TEST_ADDR"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			for s := bufio.NewScanner(c); s.Scan(); {
				fmt.Fprintln(c, "echo", s.Text())
			}
			_ = c.Close()
		}()
	}
}

func echoSpec() Spec {
	return Spec{Name: "echo", Env: []string{"SERVERS_TEST_ROLE=echo"}, Command: func(i Instance) ([]string, error) {
		return []string{"/usr/bin/env", "SERVERS_TEST_ADDR=" + i.Addr(), os.Args[0]}, nil
	}}
}

// say sends a line and returns the answer.
func say(c net.Conn, line string, patience time.Duration) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	return hear(c, patience)
}

func hear(c net.Conn, patience time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	text, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(text), err
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func answers(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if got, err := say(c, line, time.Minute); got != "echo "+line || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

func silent(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if got, err := say(c, line, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%q, %v; nothing should come", got, err)
	}
}

func starts(t *testing.T, s *Server) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "starts"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// state is how the kernel calls the state of a process: S, T for stopped, Z for dead, or "" if there is none.
func state(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return string(text[strings.LastIndexByte(string(text), ')')+2])
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestAServerIsKilledWithAllItsProcessesAndComesBackWithOrWithoutItsData(t *testing.T) {
	s := Test(t, echoSpec())
	answers(t, dial(t, s.Addr()), "a")
	child := starts(t, s)[0]
	s.Kill()
	s.Kill()
	eventually(t, "the child is gone", func() bool { return strings.Contains("ZX", state(child)) })
	if _, err := net.Dial("tcp", s.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("after a kill: %v", err)
	}
	if err := s.Pause(); err == nil {
		t.Error("a server that is down was paused")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers(t, dial(t, s.Addr()), "b")
	if n := len(starts(t, s)); n != 2 {
		t.Errorf("with its data it counts %d starts", n)
	}
	if err := s.RestartEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(starts(t, s)); n != 1 {
		t.Errorf("without its data it counts %d starts", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.base); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is left behind: %v", err)
	}
}

func TestAPausedServerAnswersLater(t *testing.T) {
	s := Test(t, echoSpec())
	c := dial(t, s.Addr())
	answers(t, c, "a")
	child := starts(t, s)[0]
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child stands still", func() bool { return state(child) == "T" })
	silent(t, c, "b")
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(c, time.Minute); got != "echo b" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if err := s.Pause(); err != nil { // a paused one can be killed
		t.Fatal(err)
	}
	s.Kill()
}

func TestAServerThatDoesNotStartSaysWhatItPrinted(t *testing.T) {
	for name, c := range map[string]struct {
		command func(Instance) ([]string, error)
		says    string
	}{
		"it ends":     {func(Instance) ([]string, error) { return []string{"sh", "-c", "echo no room"}, nil }, "no room"},
		"no program":  {func(Instance) ([]string, error) { return nil, errors.New("run .ci/setup") }, "run .ci/setup"},
		"it is mute":  {func(Instance) ([]string, error) { return []string{"sleep", "60"}, nil }, "does not serve"},
		"not on disk": {func(Instance) ([]string, error) { return []string{"/no/such/server"}, nil }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(t.Context(), Spec{Name: "x", Command: c.command, Patience: 200 * time.Millisecond})
			if err == nil || s != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, %v", s, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, echoSpec()); err == nil {
		t.Error("it starts though nobody waits")
	}
}

func TestAMissingProgramSaysHowToGetIt(t *testing.T) {
	t.Setenv("TENURE_CACHE", t.TempDir())
	if _, err := Program("etcd-0.0.0"); err == nil || !strings.Contains(err.Error(), ".ci/setup") {
		t.Error(err)
	}
	if _, err := Debian("nosuchpackage", "nosuchprogram", "/no/such/*"); err == nil ||
		!strings.Contains(err.Error(), "nosuchpackage") {
		t.Error(err)
	}
	if path, err := Debian("bash", "bash"); err != nil || path == "" {
		t.Error(path, err)
	}
}
