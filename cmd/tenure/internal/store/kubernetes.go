package store

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease/kubernetes"
)

const kubernetesForm = "kubernetes:[NAMESPACE] in a pod, " +
	"or kubernetes://HOST:PORT/NAMESPACE?ca-file=FILE&token-file=FILE"

// openKubernetes opens the Leases of a namespace: kubernetes:[NAMESPACE] in a pod, or those of the API server that the
// address names. The token is in a file, never in the address.
func openKubernetes(address string) (Manager, func() error, error) {
	client, c, err := kubernetesClient(address)
	if err != nil {
		return nil, nil, err
	}
	c.Client = client
	m, err := kubernetes.New(c)
	if err != nil {
		return nil, nil, fault("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return m, func() error { client.Client.CloseIdleConnections(); return nil }, nil
}

func kubernetesClient(address string) (*kubernetes.HTTP, kubernetes.Config, error) {
	var c kubernetes.Config
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Fragment != "" {
		return nil, c, fault("that is no address of Kubernetes; write %s", kubernetesForm)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, c, fault("kubernetes: what follows the ? cannot be read; write NAME=VALUE&NAME=VALUE")
	}
	known := []string{"guard"}
	if u.Host != "" {
		known = append(known, "ca-file", "token-file")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, c, fault("kubernetes: the parameter %q is unknown here; known: %s", name, strings.Join(known, ", "))
		}
		if len(values) != 1 {
			return nil, c, fault("kubernetes: the parameter %q stands there %d times", name, len(values))
		}
	}
	if text := query.Get("guard"); text != "" {
		if c.Guard, err = time.ParseDuration(text); err != nil || c.Guard <= 0 {
			return nil, c, fault("kubernetes: guard=%s is not a positive duration; write guard=7s", text)
		}
	}
	if u.Host == "" && (u.Path != "" || strings.HasPrefix(address, "kubernetes://")) {
		return nil, c, fault("kubernetes: names no server; write %s", kubernetesForm)
	}
	if u.Host == "" {
		h, err := kubernetes.InCluster()
		if err != nil {
			return nil, c, fault("%v; write %s", err, kubernetesForm)
		}
		if u.Opaque != "" {
			h.Namespace = u.Opaque
			if err := h.Check(); err != nil {
				return nil, c, fault("%v", err)
			}
		}
		return h, c, nil
	}
	server := &kubernetes.HTTP{Server: "https://" + u.Host, Namespace: strings.Trim(u.Path, "/")}
	if err := server.Check(); err != nil {
		return nil, c, fault("%s; write %s", strings.ReplaceAll(err.Error(), "\n", "; "), kubernetesForm)
	}
	h, err := kubernetes.NewHTTP(server.Server, server.Namespace, query.Get("ca-file"), query.Get("token-file"))
	return h, c, err
}
