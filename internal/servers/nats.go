//go:build linux

package servers

import (
	"context"
	"strconv"
)

// What internal/servers/programs pins.
const (
	natsVersion    = "2.15.2"
	oldNATSVersion = "2.10.29"
)

// NATS is one NATS server with JetStream, which keeps its streams in files; clients reach it at Addr, in the clear.
// Flags are added to its command line, where the last one of a name counts.
func NATS(flags ...string) Spec { return natsSpec("nats-"+natsVersion, flags) }

// OldNATS is NATS in a version that takes the time to live of a message and ignores it.
func OldNATS(flags ...string) Spec { return natsSpec("nats-old-"+oldNATSVersion, flags) }

func natsSpec(name string, flags []string) Spec {
	return Spec{Name: "nats", Ports: 2, Ready: natsReady, Command: func(i Instance) ([]string, error) {
		program, err := Program(name)
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
