package azureblob_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/azureblob"
)

// The client is made with any credentials that the SDK knows: a connection string, as here, a shared key, a signed
// address, or azidentity.NewDefaultAzureCredential.
func Example() {
	c, err := container.NewClientFromConnectionString(os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), "leases", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := azureblob.New(azureblob.Config{Container: c})
	if err != nil {
		fmt.Println(err)
		return
	}
	node, err := actor.New(actor.Config{Manager: m})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = node.Campaign(actor.Election{Key: "billing", TTL: 30 * time.Second, Lead: func(ctx context.Context,
		t *actor.Tenure) error {
		fmt.Println("leading under term", t.Term())
		<-ctx.Done()
		return nil
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(node.Run(context.Background()))
}
