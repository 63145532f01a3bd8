//go:build linux

package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func TestNATSKeepsItsStreamsUnlessTheyAreTakenAway(t *testing.T) {
	s := Test(t, NATS())
	const create = `{"name":"S","subjects":["s"],"storage":"file"}`
	if got := request(t, s, "$JS.API.STREAM.CREATE.S", create); strings.Contains(got, `"error"`) {
		t.Fatal(got)
	}
	s.Kill()
	if err := natsReady(t.Context(), s.Instance); err == nil {
		t.Error("a killed server is ready")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := request(t, s, "$JS.API.INFO", ""); !strings.Contains(got, `"streams":1`) {
		t.Errorf("after a restart: %s; want the stream that was made", got)
	}
	if err := s.RestartEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := request(t, s, "$JS.API.INFO", ""); !strings.Contains(got, `"streams":0`) {
		t.Errorf("after a restart without the data: %s; want no stream", got)
	}
}

func TestAPausedNATSAnswersLater(t *testing.T) {
	s := Test(t, NATS())
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := natsReady(short, s.Instance); err == nil {
		t.Error("a paused server answers")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a resumed server answers", func() bool { return natsReady(t.Context(), s.Instance) == nil })
}

// request asks in the protocol of NATS, which is lines of text, and returns the answer.
func request(t *testing.T, s *Server, subject, body string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	const lines = "CONNECT {\"verbose\":false}\r\nSUB inbox 1\r\nPUB %s inbox %d\r\n%s\r\n"
	if _, err = fmt.Fprintf(c, lines, subject, len(body), body); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "MSG ") && lines.Scan() {
			return lines.Text()
		}
	}
	t.Fatalf("%s: no answer", subject)
	return ""
}
