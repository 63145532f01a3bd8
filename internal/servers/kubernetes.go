//go:build linux

package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kubeVersion is what internal/servers/programs/kube-apiserver pins.
const kubeVersion = "1.37.2"

// Whom the API server of [KubeAPIServer] knows by their bearer tokens.
const (
	KubeAdmin   = "admin-token"   // may do everything
	KubeAccount = "account-token" // the service account default/tenure, which may do what it is granted
)

// KubeAPIServer is the API server of Kubernetes on an etcd, such as http://127.0.0.1:2379, with RBAC and without any
// controllers: objects are kept, nobody acts on them. Clients reach it at https://ADDR, trust [KubeCA], and present
// [KubeAdmin] or [KubeAccount]. Its data are those of the etcd. It is ready when the namespace default exists.
func KubeAPIServer(etcd string) Spec {
	return Spec{
		Name: "kube-apiserver", Patience: 3 * time.Minute, Init: kubeInit, Ready: kubeReady,
		Command: func(i Instance) ([]string, error) {
			program, err := Program("kube-apiserver-" + kubeVersion)
			in := func(name string) string { return filepath.Join(i.Dir, name) }
			_, port, _ := net.SplitHostPort(i.Addr())
			return []string{
				program, "--etcd-servers=" + etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
				"--secure-port=" + port, "--tls-cert-file=" + in("server.crt"), "--tls-private-key-file=" + in("server.key"),
				"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + in("server.key"),
				"--service-account-signing-key-file=" + in("server.key"), "--token-auth-file=" + in("tokens.csv"),
				"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none",
				"--disable-admission-plugins=ServiceAccount", "--cert-dir=" + i.Dir,
			}, err
		},
	}
}

// KubeCA returns the file that holds the certificate of the authority that the API server is trusted by.
func KubeCA(i Instance) string { return filepath.Join(i.Dir, "ca.crt") }

// kubeInit makes keys, certificates, and the list of tokens.
func kubeInit(_ context.Context, i Instance) error {
	_, err := NewCertificates(i.Dir)
	tokens := fmt.Sprintf("%s,admin,1,system:masters\n%s,system:serviceaccount:default:tenure,2\n", KubeAdmin, KubeAccount)
	return errors.Join(err, os.WriteFile(filepath.Join(i.Dir, "tokens.csv"), []byte(tokens), 0o600))
}

// KubeClient returns a client that trusts the server. Close its idle connections.
func KubeClient(i Instance) (*http.Client, error) {
	text, err := os.ReadFile(KubeCA(i))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("servers: %s holds no certificate", KubeCA(i))
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

// KubeDo asks the server at addr as the administrator: body is JSON, or empty. It fails on any answer but 2xx.
func KubeDo(ctx context.Context, i Instance, method, path, body string) error {
	client, err := KubeClient(i)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+i.Addr()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+KubeAdmin)
	req.Header.Set("Content-Type", "application/yaml")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("servers: %s %s: %s", method, path, resp.Status)
	}
	return nil
}

// kubeReady asks for what a client needs first, besides the server's own opinion.
func kubeReady(ctx context.Context, i Instance) error {
	if err := KubeDo(ctx, i, http.MethodGet, "/readyz", ""); err != nil {
		return err
	}
	return KubeDo(ctx, i, http.MethodGet, "/api/v1/namespaces/default", "")
}
