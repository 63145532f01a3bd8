package kubernetes_test

import (
	"context"
	"log"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/kubernetes"
)

// A process in a pod needs nothing but the standard library and a role; see docs/stores/kubernetes.md.
func Example() {
	client, err := kubernetes.InCluster()
	if err != nil {
		log.Fatal(err)
	}
	m, err := kubernetes.New(kubernetes.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	err = actor.Run(context.Background(), m, "billing", func(ctx context.Context, t *actor.Tenure) error {
		log.Printf("leading under term %d", t.Term())
		<-ctx.Done()
		return nil
	})
	log.Print(err)
}
