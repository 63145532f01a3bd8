//go:build unix

package control_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns a server in a directory of the test, which answers until the test ends.
func serve(t *testing.T, answer func(control.Request) control.Answer) *control.Server {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", shortDir(t))
	s, err := control.Listen()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(answer) }()
	t.Cleanup(func() { s.Close(); <-done })
	return s
}

// shortDir is a directory whose path leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func echo(r control.Request) control.Answer { return control.Answer{Leader: r.Ask, Term: r.Term} }

func TestAQuestionIsAnswered(t *testing.T) {
	s := serve(t, echo)
	a, err := control.Ask(t.Context(), s.Path(), control.Request{Ask: control.Check, Term: 7})
	if err != nil || a.Leader != control.Check || a.Term != 7 {
		t.Errorf("answer is %+v, %v", a, err)
	}
	if path := control.PathIn(s.Meta()); path != s.Path() {
		t.Errorf("metadata %q leads to %q, want %q", s.Meta(), path, s.Path())
	}
	if path := control.PathIn("http://somewhere"); path != "" {
		t.Errorf("metadata of somebody else leads to %q", path)
	}
}

func TestOnlyTheUserMayEnter(t *testing.T) {
	s := serve(t, echo)
	info, err := os.Stat(filepath.Dir(s.Path()))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	s.Close()
	if _, err := os.Stat(filepath.Dir(s.Path())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is left behind: %v", err)
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	s := serve(t, echo)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := control.Ask(t.Context(), s.Path(), control.Request{Ask: control.Check}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestNonsenseIsRefused(t *testing.T) {
	s := serve(t, echo)
	for _, text := range []string{"\n", "resign\n", `{"term":-1}` + "\n", strings.Repeat("{", 100_000)} {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, text)
		conn.(*net.UnixConn).CloseWrite()
		answer := make([]byte, 1000)
		n, _ := conn.Read(answer)
		conn.Close()
		if !strings.Contains(string(answer[:n]), "not a request") && n > 0 {
			t.Errorf("%.20q is answered %q", text, answer[:n])
		}
	}
	if _, err := control.Ask(t.Context(), s.Path(), control.Request{Ask: control.Check}); err != nil {
		t.Errorf("after nonsense: %v", err)
	}
}

func TestWhoeverDoesNotAnswerIsNotWaitedForLongerThanTheContextLasts(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(control.Request) control.Answer { <-release; return control.Answer{} })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := control.Ask(ctx, s.Path(), control.Request{Ask: control.Check})
	if err == nil || !strings.Contains(err.Error(), "no answer in time") || time.Since(begin) > 2*time.Second {
		t.Errorf("error is %v after %v", err, time.Since(begin))
	}
}

func TestOnlyPrivateSocketsOfOursAreTalkedTo(t *testing.T) {
	s := serve(t, echo)
	dir := filepath.Dir(s.Path())
	open := filepath.Join(filepath.Dir(dir), "tenure-open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(dir), "tenure-link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"", "ctl", "/var/run/docker.sock", dir, dir + "/other", dir + "/../" + filepath.Base(dir) + "/ctl",
		open + "/ctl", link + "/ctl", "tenure-x/ctl",
	} {
		_, err := control.Ask(t.Context(), path, control.Request{Ask: control.Resign})
		if err == nil || errors.Is(err, control.ErrNobody) {
			t.Errorf("%q: error is %v, want a refusal to talk", path, err)
		}
	}
}

func TestTheSocketOfADeadTenureIsNobodysAndIsSweptAway(t *testing.T) {
	s := serve(t, echo)
	dead := filepath.Join(filepath.Dir(filepath.Dir(s.Path())), "tenure-dead")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dead+"/ctl")
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, path := range []string{dead + "/ctl", filepath.Dir(dead) + "/tenure-gone/ctl"} {
		if _, err := control.Ask(t.Context(), path, control.Request{}); !errors.Is(err, control.ErrNobody) {
			t.Errorf("%s: error is %v, want ErrNobody", path, err)
		}
	}
	listen := func() {
		t.Helper()
		other, err := control.Listen()
		if err != nil {
			t.Fatal(err)
		}
		other.Close()
	}
	listen()
	if _, err := os.Stat(dead); err != nil {
		t.Errorf("a young directory is swept away: %v", err)
	}
	old := time.Now().Add(-time.Hour)
	for _, dir := range []string{dead, filepath.Dir(s.Path())} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	listen()
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of a dead tenure is left: %v", err)
	}
	if _, err := control.Ask(t.Context(), s.Path(), control.Request{Ask: control.Check}); err != nil {
		t.Errorf("the directory of a live tenure was swept away: %v", err)
	}
}

func TestAPathThatIsTooLongForASocketIsPassedOver(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", long)
	s, err := control.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Path()) > 100 {
		t.Errorf("path %s is long", s.Path())
	}
	if left, _ := os.ReadDir(long); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
}
