//go:build linux

package stands

import (
	"context"
	"maps"
	"strings"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease/nats"
)

// kinds is every store. Leases are as short as the store and a busy machine can bear.
func kinds() map[string]Kind {
	all := map[string]Kind{
		"file": {
			Address: func(_ *servers.Server, at string) string { return "file:" + at }, TTL: 2 * time.Second, Notifies: true,
		},
		"etcd": {
			Server:  func(*servers.Server) servers.Spec { return servers.Etcd() },
			Address: at("etcd://%/"), TTL: 3 * time.Second, Extra: time.Second, Notifies: true,
		},
		"nats": {
			Server: func(*servers.Server) servers.Spec { return servers.NATS() }, Prepare: makeBucket,
			Address: at("nats://%/leases"), TTL: 2 * time.Second, Notifies: true,
		},
		"postgres": {
			Server:  func(*servers.Server) servers.Spec { return servers.Postgres("fsync = on") },
			Address: at("postgres://postgres@%/postgres?create=on"), TTL: 2 * time.Second, Notifies: true,
		},
		"redis": {
			Server:  func(*servers.Server) servers.Spec { return servers.Redis(durable...) },
			Address: at("redis://%/0"), TTL: 2 * time.Second, Notifies: true,
		},
		"valkey": {
			Server:  func(*servers.Server) servers.Spec { return servers.Valkey(durable...) },
			Address: at("redis://%/0"), TTL: 2 * time.Second, Notifies: true,
		},
	}
	all["s3"] = s3Kind()
	maps.Copy(all, sqlKinds())
	maps.Copy(all, kubernetesKinds())
	maps.Copy(all, minioKinds())
	return all
}

// at returns a function that puts the host and port of the server where form has a %.
func at(form string) func(*servers.Server, string) string {
	return func(_ *servers.Server, at string) string { return strings.Replace(form, "%", at, 1) }
}

// durable has Redis keep what it confirms.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// makeBucket makes the bucket of a NATS server.
func makeBucket(ctx context.Context, s *servers.Server) error {
	nc, err := natsio.Connect("nats://" + s.Addr())
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateKeyValue(ctx, nats.Bucket("leases", 1))
	}
	return err
}
