package etcd_test

import (
	"context"
	"fmt"
	"log"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/etcd"
)

func Example() {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            []string{"etcd-0:2379", "etcd-1:2379", "etcd-2:2379"},
		DialTimeout:          5 * time.Second,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	leases, err := etcd.New(etcd.Config{Client: client})
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

// A write that must not be made by a leader that has been replaced meanwhile goes into a transaction with the lease as
// its condition.
func ExampleManager_IfHeld() {
	var client *clientv3.Client
	var leases *etcd.Manager
	write := func(ctx context.Context, l lease.Lease, entry string) error {
		resp, err := client.Txn(ctx).If(leases.IfHeld(l)).Then(clientv3.OpPut("ledger", entry)).Commit()
		if err == nil && !resp.Succeeded {
			err = lease.ErrLost
		}
		return err
	}
	_ = write
}

func ExampleConfig_Check() {
	fmt.Println(etcd.Config{Prefix: "services/"}.Check())
	// Output: etcd: Config.Client is nil; set it to a client of the cluster
}
