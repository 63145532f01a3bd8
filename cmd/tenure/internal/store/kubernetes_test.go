package store_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
)

func TestAnAddressOfKubernetesThatCannotBeMeantIsRefused(t *testing.T) {
	for address, says := range map[string]string{
		"kubernetes://":                         "names no server",
		"kubernetes:///default":                 "names no server",
		"kubernetes:/default":                   "names no server",
		"kubernetes://host:6443":                "is not the name of a namespace",
		"kubernetes://host:6443/De_fault":       "is not the name of a namespace",
		"kubernetes://me:secret@host/default":   "no address of Kubernetes",
		"kubernetes://host/default?token=x":     `"token" is unknown`,
		"kubernetes:default?ca-file=x":          `"ca-file" is unknown`,
		"kubernetes://host/a?ca-file=x&ca-file": "2 times",
		"kubernetes:?guard=long":                "guard=long is not a positive duration",
		"kubernetes://host/a?guard=2h":          "Guard <= 1h",
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want ErrURL that says %q", address, err, says)
		}
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := store.Open("kubernetes:"); err == nil || !strings.Contains(err.Error(), "does not run in a pod") {
		t.Errorf("outside of a pod: %v", err)
	}
	if _, err := store.Open("kubernetes://host:6443/default?ca-file=/no/such/file"); err == nil ||
		errors.Is(err, store.ErrURL) {
		t.Errorf("a file that is missing: %v", err)
	}
}

func TestTheAddressOfKubernetesNamesServerNamespaceAndFiles(t *testing.T) {
	asked := make(chan *http.Request, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"kind":"Status","reason":"NotFound","message":"no","code":404,"details":{"kind":"leases"}}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca"), filepath.Join(dir, "token")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(ca, text, 0o600), os.WriteFile(token, []byte("old\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open("kubernetes://" + server.Listener.Addr().String() + "/billing?ca-file=" + ca +
		"&token-file=" + token)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, want := range []string{"old", "new"} {
		if err := os.WriteFile(token, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		r := <-asked
		if r.URL.Path != "/apis/coordination.k8s.io/v1/namespaces/billing/leases/k" ||
			r.Header.Get("Authorization") != "Bearer "+want {
			t.Errorf("asked for %s with %q", r.URL, r.Header.Get("Authorization"))
		}
	}
}
