//go:build linux

package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// etcdVersion is what internal/servers/programs/etcd pins.
const etcdVersion = "3.7.3"

// Etcd is one member of etcd that is a cluster by itself; clients reach it at Addr, in the clear. Its heartbeat and its
// election timeout are short, so that leases of one second are granted, and it does not wait for the disk: what it
// confirmed survives the end of its process, but not of the machine. Flags are added to its command line, where the
// last one of a name counts.
func Etcd(flags ...string) Spec { return etcdSpec(0, nil, flags) }

// EtcdMember is the i-th of the members of etcd that reach each other at peers, each set up as Etcd is. It is for
// StartCluster.
func EtcdMember(i int, peers []string, flags ...string) Spec { return etcdSpec(i, peers, flags) }

func etcdSpec(member int, peers, flags []string) Spec {
	return Spec{Name: "etcd", Ports: 2, Ready: etcdReady, Command: func(i Instance) ([]string, error) {
		program, err := Program("etcd-" + etcdVersion)
		client, peer, all := "http://"+i.Addr(), "http://"+i.AddrOf(peerPort), peers
		if len(all) == 0 {
			all = []string{i.AddrOf(peerPort)}
		}
		cluster := make([]string, len(all))
		for n, addr := range all {
			cluster[n] = fmt.Sprintf("member-%d=http://%s", n, addr)
		}
		return append([]string{
			program, fmt.Sprintf("--name=member-%d", member), "--data-dir=" + i.Dir, "--log-level=warn",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client, "--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=http://" + all[member], "--initial-cluster=" + strings.Join(cluster, ","),
			"--heartbeat-interval=50", "--election-timeout=500", "--unsafe-no-fsync",
		}, flags...), err
	}}
}

// etcdReady asks for what needs a leader and its log.
func etcdReady(ctx context.Context, i Instance) error {
	text, err := get(ctx, i, 0, "/health")
	if err == nil && !strings.Contains(text, `"health":"true"`) {
		err = fmt.Errorf("not healthy: %s", text)
	}
	return err
}

// get returns the first kilobyte of what the n-th port answers to a request for path.
func get(ctx context.Context, i Instance, n int, path string) (string, error) {
	resp, err := i.request(ctx, n, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// request asks the n-th port for path, on a connection of its own.
func (i Instance) request(ctx context.Context, n int, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.AddrOf(n)+path, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return i.dial(ctx, n) }
	return (&http.Client{Transport: &http.Transport{DialContext: dial}}).Do(req)
}
