package kubernetes

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// answering returns a client whose server answers everything with a status and a body.
func answering(t *testing.T, status int, body string) *HTTP {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	return &HTTP{Server: s.URL, Namespace: "default", Client: s.Client()}
}

func TestAnswersThatAreNoLeaseAreErrorsThatSayWhatToDo(t *testing.T) {
	const good = `{"metadata":{"name":"k","resourceVersion":"5"},"spec":{`
	for name, c := range map[string]struct {
		status    int
		body      string
		says      string
		permanent bool
	}{
		"a strategy":          {200, good + `"strategy":"OldestEmulationVersion"}}`, "coordinated leader election", true},
		"another Lease":       {200, strings.Replace(good, `"k"`, `"j"`, 1) + `}}`, "is this the API server?", true},
		"no JSON":             {200, `<html>`, "no Lease", true},
		"a list":              {200, `[]`, "no Lease", true},
		"no version":          {200, `{"metadata":{"name":"k"}}`, "no resourceVersion", true},
		"odd version":         {200, strings.Replace(good, `"5"`, `"v5"`, 1) + `}}`, "no number that terms", true},
		"too large a number":  {200, good + `"leaseDurationSeconds":99999999999}}`, "no Lease", true},
		"a page that is lost": {404, `404 page not found`, "check its address", true},
		"a proxy":             {401, ``, "check the service account", true},
		"no room":             {429, `{"kind":"Status","message":"too many","code":429}`, "too many", false},
		"out of order":        {500, "line\nbreak", "line; break", false},
		"endless":             {200, strings.Repeat(" ", maxAnswer+1), "longer than", false},
	} {
		m, err := New(Config{Client: answering(t, c.status, c.body)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Acquire(t.Context(), "k", us, time.Minute)
		if _, refusal := lease.Refusal(err); err == nil || refusal || !strings.Contains(err.Error(), c.says) ||
			errors.Is(err, lease.ErrPermanent) != c.permanent || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q, permanent: %t", name, err, c.says, c.permanent)
		}
	}
}

func TestAWatchReadsItsStreamToTheEnd(t *testing.T) {
	stream := `{"type":"ADDED","object":{"a":1}}` + "\n" + `{"type":"BOOKMARK","object":{}}` +
		`{"type":"DELETED","object":{}}` + `{"type":"MODIFIED","object":{"a":2}}` +
		`{"type":"ERROR","object":{"kind":"Status","message":"too old","code":410}}`
	var heard []string
	err := answering(t, 200, stream).Watch(t.Context(), "k", func(data []byte) { heard = append(heard, string(data)) })
	if code(err) != statusGone || strings.Join(heard, " ") != `{"a":1}  {"a":2}` {
		t.Errorf("heard %q, %v", heard, err)
	}
	if err := answering(t, 200, "").Watch(t.Context(), "k", nil); err != nil {
		t.Errorf("a stream that ends is no error: %v", err)
	}
	for _, broken := range []string{`{"type":"ADDED","obj`, `x`, `{"type":"ERROR","object":3}`} {
		if err := answering(t, 200, broken).Watch(t.Context(), "k", nil); err == nil {
			t.Errorf("%s: no error", broken)
		}
	}
	if err := answering(t, 403, "").Watch(t.Context(), "k", nil); code(err) != statusForbidden {
		t.Errorf("forbidden: %v", err)
	}
}

func TestAPodFindsItsServerAndItsNamespace(t *testing.T) {
	var asked *http.Request
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		_, _ = io.WriteString(w, `{"metadata":{"name":"k","resourceVersion":"5"}}`)
	}))
	defer s.Close()
	host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	t.Setenv("KUBERNETES_SERVICE_HOST", host)
	t.Setenv("KUBERNETES_SERVICE_PORT", port)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range [][3]string{
		{"", "", "the namespace of the pod"},
		{"namespace", "billing", "the certificates of the API server"},
		{"ca.crt", "nothing", "holds no certificate"},
		{"ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})), "the token"},
		{"token", " \n", "holds no token"},
	} {
		if c[0] != "" {
			write(c[0], c[1])
		}
		if _, err := inCluster(dir); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("with %s: %v; want %q", c[0], err, c[2])
		}
	}
	write("token", "first\n")
	h, err := inCluster(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Client.CloseIdleConnections()
	write("token", "second\n")
	if _, err := h.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if asked.URL.Path != "/apis/coordination.k8s.io/v1/namespaces/billing/leases/k" ||
		asked.Header.Get("Authorization") != "Bearer second" {
		t.Errorf("asked for %s with %q", asked.URL, asked.Header.Get("Authorization"))
	}
	write("token", "sec ret")
	if _, err := h.Get(t.Context(), "k"); err == nil || strings.Contains(err.Error(), "ret") {
		t.Errorf("a token with a blank: %v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InCluster(); err == nil || !strings.Contains(err.Error(), "does not run in a pod") {
		t.Errorf("outside of a pod: %v", err)
	}
}

func TestFaultsOfAConfigurationAreReportedTogether(t *testing.T) {
	_, err := New(Config{Guard: 2 * time.Hour, Drift: 1})
	for _, part := range []string{"Config.Client is nil", "Guard 2h0m0s does not keep", "Drift 1 does not keep"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v; want %q", err, part)
		}
	}
	h := &HTTP{Server: "ftp://me@host", Namespace: "A", Client: &http.Client{Timeout: time.Second}}
	for _, part := range []string{"HTTP.Server", "HTTP.Namespace", "a timeout of 1s"} {
		if err := h.Check(); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v; want %q", err, part)
		}
	}
}

func TestAKeyThatCanBeANameIsItsName(t *testing.T) {
	seen := map[string]string{}
	for key, same := range map[string]bool{
		"billing": true, "a.b-c.9": true, "0": true, strings.Repeat("k", 253): true,
		"Billing": false, "a b": false, "-a": false,
		"a-": false, "a..b": false, ".a": false, "a/b": false, "a.": false, "a_b": false, "~": false,
		strings.Repeat("K", 253): false, LeaseName("~"): false, LeaseName("Billing"): false,
	} {
		name := LeaseName(key)
		if (name == key) != same || len(name) > 253 || !subdomain.MatchString(name) {
			t.Errorf("%.60q has the Lease %s", key, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share %s", key, other, name)
		}
		seen[name] = key
	}
	if name := LeaseName("Billing EU/1"); !strings.HasPrefix(name, "billing-eu-1.tenure-") {
		t.Errorf("it is not easy to recognise: %s", name)
	}
}

// A server of our own would not send it, but anything may answer at an address.
func TestAWatchDoesNotSwallowAnEventWithoutEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		long := strings.Repeat("a", 1<<20)
		for range 5 { // more than the limit together
			_, _ = io.WriteString(w, `{"type":"BOOKMARK","object":{"a":"`+long+`"}}`)
		}
		_, _ = io.WriteString(w, `{"type":"ADDED","object":{"a":"`)
		for range 100 {
			if _, err := io.WriteString(w, long); err != nil {
				return
			}
		}
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := &HTTP{Server: s.URL, Namespace: "default", Client: s.Client()}
	if err := h.Watch(ctx, "k", nil); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v; want an error that names the limit", err)
	}
}
