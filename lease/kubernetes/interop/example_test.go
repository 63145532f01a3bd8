package interop_test

import (
	"context"
	"log"
	"time"

	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/kubernetes"
)

// An operator that has a client of client-go hands that in. Its Lease is the one that its earlier versions competed
// for with client-go's elector.
func ExampleTyped() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	client, err := coordination.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	m, err := kubernetes.New(kubernetes.Config{
		Client: kubernetes.Typed(client.Leases("billing")),
		Guard:  2*10*time.Second + 2*time.Second - 15*time.Second, // 2 × RenewDeadline + RetryPeriod - LeaseDuration
	})
	if err != nil {
		log.Fatal(err)
	}
	err = actor.Run(context.Background(), m, "billing-operator", func(ctx context.Context, t *actor.Tenure) error {
		log.Printf("leading under term %d", t.Term())
		<-ctx.Done()
		return nil
	})
	log.Print(err)
}
