//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
)

func TestStatusSaysWhoLeads(t *testing.T) {
	dir, address := newStore(t)
	ask := func(want int, pattern string, flags ...string) {
		t.Helper()
		status, out, _ := call(t, append(append([]string{"status", "--store", address}, flags...), "k")...)
		if status != want || !regexp.MustCompile("^"+pattern+"\n$").MatchString(out) {
			t.Errorf("exit code is %d, want %d; it says %q, want %q", status, want, out, pattern)
		}
	}
	ask(1, "k: nobody leads")
	ask(1, `{"key":"k","led":false,"term":0}`, "--json")
	p := start(t, "run", "--store", address, "--name", "node-a", "k", "--", "sh", "-c", "echo up > "+dir+
		"/up; exec sleep 100")
	awaitLine(t, dir+"/up", "up")
	ask(0, `k: node-a leads under term 1, for 1\d(\.\d)?s unless renewed`)
	ask(0, `{"key":"k","led":true,"leader":"node-a","term":1,"remaining_seconds":1[0-9.]+,"meta":"pid=.*"}`, "--json")
	p.signal(t, syscall.SIGTERM)
	p.status(t)
	ask(1, "k: nobody leads since term 1")
}

func TestWatchPrintsEachChangeOnce(t *testing.T) {
	dir, address := newStore(t)
	w := start(t, "watch", "--store", address, "--every", "20ms", "--json", "k")
	text := start(t, "watch", "--store", address, "--every", "20ms", "k")
	eventually(t, "both have looked", func() bool {
		return w.out.String() != "" && text.out.String() != ""
	})
	p := start(t, "run", "--store", address, "--name", "node-a", "--ttl", "3s", "k", "--", "sh", "-c",
		"echo up > "+dir+"/up; exec sleep 100")
	awaitLine(t, dir+"/up", "up")
	time.Sleep(2100 * time.Millisecond) // two renewals, which are nobody's news
	p.signal(t, syscall.SIGTERM)
	p.status(t)
	eventually(t, "the end is seen", func() bool {
		return strings.Contains(w.out.String(), `"led":false,"term":1`) && strings.Contains(text.out.String(), "since term 1")
	})
	for _, q := range []*proc{w, text} {
		q.signal(t, syscall.SIGINT)
		if status := q.status(t); status != 0 {
			t.Errorf("exit code is %d", status)
		}
	}
	var said []string
	for line := range strings.Lines(w.out.String()) {
		var d struct {
			At     time.Time
			Led    bool
			Leader string
			Term   int
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil || time.Since(d.At) > time.Minute {
			t.Errorf("line %q: %v", line, err)
		}
		said = append(said, d.Leader)
	}
	if got := strings.Join(said, ","); got != ",node-a," {
		t.Errorf("leaders are %q, want nobody, node-a, nobody", got)
	}
	want := regexp.MustCompile(`^[\d:.]+  k: nobody leads
[\d:.]+  k: node-a leads under term 1
[\d:.]+  k: nobody leads since term 1
$`)
	if !want.MatchString(text.out.String()) {
		t.Errorf("it says %q", text.out)
	}
}

func TestEventsAreWrittenAsOneObjectPerTransition(t *testing.T) {
	dir, address := newStore(t)
	for where, read := range map[string]func(p *proc) string{
		"json":                   func(p *proc) string { return p.out.String() },
		"json:" + dir + "/f.log": func(*proc) string { return read(dir + "/f.log") },
	} {
		p := start(t, "run", "--store", address, "--events", where, "--once", "k", "--", "true")
		if status := p.status(t); status != 0 {
			t.Fatalf("exit code is %d", status)
		}
		var moves []string
		for line := range strings.Lines(read(p)) {
			var e events.Transition
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Kind == events.Moved && !e.Snapshot {
				moves = append(moves, e.Reason.String())
			}
		}
		if got := strings.Join(moves, " "); got != "due won finished released" {
			t.Errorf("%s: moves are %q", where, got)
		}
	}
	if info, err := os.Stat(dir + "/f.log"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is not private: %v %v", info, err)
	}
}

// The doctor would go on for two minutes, and whoever asks the leader to resign gives it half of one.
func TestNobodyWaitsLongForAStoreThatDoesNotAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	address := "redis://" + silent.Addr().String()
	asked := map[string]*proc{
		"status": start(t, "status", "--timeout", "1s", "--store", address, "k"),
		"watch":  start(t, "watch", "--store", address, "k"),
		"resign": start(t, "resign", "--store", address, "k"),
		"doctor": start(t, "doctor", address),
	}
	for name, p := range asked {
		if status := p.status(t); status != 69 {
			t.Errorf("%s: exit code is %d, want 69", name, status)
		}
		if errs := p.err.String(); !strings.Contains(errs, "no answer within ") || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: it says %q", name, errs)
		}
	}
}

func TestAReaderOfEventsMayLeave(t *testing.T) {
	dir, address := newStore(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := tenure(t, "run", "--store", address, "--events", "json", "k", "--", "sh", "-c", "echo up > "+dir+
		"/up; exec sleep 100 >/dev/null")
	p.cmd.Stdout = w
	r.Close()
	p.start(t)
	w.Close()
	awaitLine(t, dir+"/up", "up")
	p.signal(t, syscall.SIGTERM)
	if status := p.status(t); status != 0 {
		t.Errorf("exit code is %d, want 0", status)
	}
}

func TestHTTPTellsLivenessReadinessAndLeadershipApart(t *testing.T) {
	dir, address := newStore(t)
	a := start(t, "run", "--store", address, "--http", ":0", "--name", "node-a", "k", "--", "sh", "-c",
		"echo up > "+dir+"/up; exec sleep 100")
	awaitLine(t, dir+"/up", "up")
	b := start(t, "run", "--store", address, "--http", "127.0.0.1:0", "--name", "node-b", "--events", "json", "k",
		"--", "true")
	eventually(t, "node-b stands", func() bool { return strings.Contains(b.out.String(), `"held"`) })
	for _, c := range []struct {
		p    *proc
		path string
		code int
		says string
	}{
		{a, "/livez", 200, "ok"}, {a, "/readyz", 200, "ok"}, {a, "/leader", 200, `"leading":true`},
		{a, "/status", 200, `"name":"node-a"`}, {a, "/elsewhere", 404, ""},
		{b, "/livez", 200, "ok"}, {b, "/readyz", 200, "ok"}, {b, "/leader", 503, `"leader":"node-a"`},
		{b, "/status", 200, `"leading":false`},
	} {
		response, err := http.Get(httpOf(t, c.p) + c.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.code || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: %d %s, want %d and %q", c.path, response.StatusCode, body, c.code, c.says)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// httpOf returns where a tenure serves, and makes sure that it is on the loopback interface.
func httpOf(t *testing.T, p *proc) string {
	t.Helper()
	found := regexp.MustCompile(`"address":"(http://([^"]*))"`).FindStringSubmatch(p.err.String())
	if found == nil {
		t.Fatal("the log does not say where it serves")
	}
	host, _, err := net.SplitHostPort(found[2])
	if err != nil || host != "127.0.0.1" {
		t.Errorf("it serves on %s, want the loopback interface", found[2])
	}
	return found[1]
}
