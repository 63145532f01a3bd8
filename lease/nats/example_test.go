package nats_test

import (
	"context"
	"fmt"
	"log"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/nats"
)

func Example() {
	nc, err := client.Connect("nats://nats-0:4222,nats-1:4222,nats-2:4222",
		client.RetryOnFailedConnect(true), client.MaxReconnects(-1),
		client.PingInterval(2*time.Second), client.MaxPingsOutstanding(2))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	leases, err := nats.New(nats.Config{JetStream: js, Bucket: "leases"})
	if err != nil {
		log.Fatal(err)
	}
	err = actor.Run(context.Background(), leases, "billing", func(ctx context.Context, t *actor.Tenure) error {
		fmt.Println("leading under term", t.Term())
		<-ctx.Done()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// The bucket is made once, by whoever may make streams.
func ExampleBucket() {
	var js jetstream.JetStream
	setup := func(ctx context.Context) error {
		_, err := js.CreateOrUpdateKeyValue(ctx, nats.Bucket("leases", 3))
		return err
	}
	_ = setup
}

func ExampleConfig_Check() {
	fmt.Println(nats.Config{Bucket: "leases"}.Check())
	// Output: nats: Config.JetStream is nil; set it to a JetStream of the servers
}
