//go:build linux

package servers

import (
	"context"
	"strconv"
)

// natsVersion is what internal/servers/programs/nats pins.
const natsVersion = "2.15.2"

// NATS is one NATS server with JetStream, which keeps its streams in files; clients reach it at Addr, in the clear.
// Flags are added to its command line, where the last one of a name counts.
func NATS(flags ...string) Spec {
	return Spec{Name: "nats", Ports: 2, Ready: natsReady, Command: func(i Instance) ([]string, error) {
		program, err := Program("nats-" + natsVersion)
		return append([]string{
			program, "--addr=127.0.0.1", "--port=" + strconv.Itoa(i.Ports[0]), "--http_port=" + strconv.Itoa(i.Ports[1]),
			"--jetstream", "--store_dir=" + i.Dir,
		}, flags...), err
	}}
}

// natsReady asks for what needs JetStream.
func natsReady(ctx context.Context, i Instance) error {
	_, err := get(ctx, "http://"+i.AddrOf(1)+"/healthz")
	return err
}
