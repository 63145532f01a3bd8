//go:build linux

package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEtcdKeepsItsDataUnlessItIsTakenAway(t *testing.T) {
	s := Test(t, Etcd())
	count := func() string {
		t.Helper()
		answer := struct{ Count string }{"0"}
		if err := json.Unmarshal(post(t, s, "/v3/kv/range", `{"key":"aw=="}`), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Count
	}
	post(t, s, "/v3/kv/put", `{"key":"aw==","value":"dg=="}`)
	s.Kill()
	if err := etcdReady(t.Context(), s.Instance); err == nil {
		t.Error("a killed server is ready")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != "1" {
		t.Errorf("%s keys after a restart; want the one that was put", n)
	}
	if err := s.RestartEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != "0" {
		t.Errorf("%s keys after a restart without the data; want none", n)
	}
}

func TestAPausedEtcdAnswersLater(t *testing.T) {
	s := Test(t, Etcd("--log-level=error"))
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := etcdReady(short, s.Instance); err == nil {
		t.Error("a paused server answers")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a resumed server answers", func() bool { return etcdReady(t.Context(), s.Instance) == nil })
}

// post sends JSON to the server's gateway and returns the answer.
func post(t *testing.T, s *Server, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", path, resp.Status, answer.String(), err)
	}
	return answer.Bytes()
}

func TestProgramsAreThoseThatArePinned(t *testing.T) {
	for name, want := range map[string]string{
		"etcd":     "go.etcd.io/etcd/server/v3 v" + etcdVersion,
		"nats":     "github.com/nats-io/nats-server/v2 v" + natsVersion,
		"nats-old": "github.com/nats-io/nats-server/v2 v" + oldNATSVersion,
	} {
		mod, err := os.ReadFile(filepath.Join("programs", name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mod), "\t"+want+" ") {
			t.Errorf("programs/%s/go.mod does not require %s; .ci/setup builds what it requires", name, want)
		}
	}
}
