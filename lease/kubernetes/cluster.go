package kubernetes

import (
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

// serviceAccount is where every pod finds what it may present to the API server.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// InCluster returns a [Client] for a process in a pod: the API server that KUBERNETES_SERVICE_HOST and
// KUBERNETES_SERVICE_PORT name, trusted by the cluster's certificates, with the token of the pod's service account,
// in the namespace of the pod. Change its Namespace before use for another one. The error says what is missing;
// outside of a cluster that is everything.
func InCluster() (*HTTP, error) { return inCluster(serviceAccount) }

func inCluster(dir string) (*HTTP, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("kubernetes: KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set: this process " +
			"does not run in a pod; say where the API server is")
	}
	namespace, err := os.ReadFile(filepath.Join(dir, "namespace"))
	if err != nil {
		return nil, fmt.Errorf("kubernetes: the namespace of the pod is unknown: %w; "+
			"set automountServiceAccountToken to true", err)
	}
	return NewHTTP("https://"+net.JoinHostPort(host, port), strings.TrimSpace(string(namespace)),
		filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token"))
}

// NewHTTP returns a [Client] for the Leases of namespace at server, such as https://10.96.0.1:443. caFile holds the
// certificates that the server is trusted by, in PEM; empty: those of the host. tokenFile holds the bearer token and
// is read again for each request, because tokens are replaced on disk before they expire; empty: none is sent. It has
// connections of its own, which are pinged while they are silent, and connects when it is first used.
func NewHTTP(server, namespace, caFile, tokenFile string) (*HTTP, error) {
	h := &HTTP{Server: server, Namespace: namespace}
	if err := h.Check(); err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("kubernetes: the certificates of the API server: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kubernetes: %s holds no certificate in PEM", caFile)
		}
	}
	if tokenFile != "" {
		h.Token = func() (string, error) { return readToken(tokenFile) }
		if _, err := h.Token(); err != nil {
			return nil, err
		}
	}
	h.Client = &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}}
	return h, nil
}

// readToken returns the token in a file. No error quotes it.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("kubernetes: the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("kubernetes: %s holds no token", file)
	}
	return token, nil
}
