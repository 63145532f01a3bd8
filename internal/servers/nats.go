//go:build linux

package servers

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// What internal/servers/programs pins.
const (
	natsVersion    = "2.15.2"
	oldNATSVersion = "2.10.29"
)

// NATS is one NATS server with JetStream, which keeps its streams in files; clients reach it at Addr, in the clear.
// Flags are added to its command line, where the last one of a name counts.
func NATS(flags ...string) Spec { return natsSpec("nats-"+natsVersion, flags) }

// NATSMember is the i-th of the servers of a NATS cluster that reach each other at peers, each set up as NATS is. It is
// for StartCluster.
func NATSMember(i int, peers []string, flags ...string) Spec {
	s := natsSpec("nats-"+natsVersion, flags)
	alone := s.Command
	s.Ports++ // for the peers, between those for clients and for questions about health
	s.Command = func(in Instance) ([]string, error) {
		args, err := alone(in)
		var routes []string
		for n, addr := range peers {
			if n != i {
				routes = append(routes, "nats-route://"+addr)
			}
		}
		return append(args, fmt.Sprintf("--server_name=member-%d", i), "--cluster_name=tenure",
			"--cluster=nats://"+in.AddrOf(peerPort), "--cluster_advertise="+peers[i],
			"--routes="+strings.Join(routes, ",")), err
	}
	return s
}

// OldNATS is NATS in a version that takes the time to live of a message and ignores it.
func OldNATS(flags ...string) Spec { return natsSpec("nats-old-"+oldNATSVersion, flags) }

func natsSpec(name string, flags []string) Spec {
	return Spec{Name: "nats", Ports: 2, Ready: natsReady, Command: func(i Instance) ([]string, error) {
		program, err := Program(name)
		health := i.Ports[len(i.Ports)-1]
		return append([]string{
			program, "--addr=127.0.0.1", "--port=" + strconv.Itoa(i.Ports[0]), "--http_port=" + strconv.Itoa(health),
			"--jetstream", "--store_dir=" + i.Dir,
		}, flags...), err
	}}
}

// natsReady asks for what needs JetStream.
func natsReady(ctx context.Context, i Instance) error {
	_, err := get(ctx, i, len(i.Ports)-1, "/healthz")
	return err
}
