package redis_test

import (
	"context"
	"log"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/redis"
)

// The client is the caller's, with the options that suit its other uses.
func Example() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
	defer func() { _ = client.Close() }()
	m, err := redis.New(redis.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	work := func(ctx context.Context, t *actor.Tenure) error {
		log.Println("leading under term", t.Term())
		<-ctx.Done()
		return nil
	}
	if err := actor.Run(context.Background(), m, "billing", work); err != nil {
		log.Fatal(err)
	}
}

// A resource in the same server can refuse leaders that have been replaced, in the very step that writes. Its name
// has the part in braces of the record's name, so that both are in one slot of a cluster.
func ExampleManager_Record() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
	defer func() { _ = client.Close() }()
	m, err := redis.New(redis.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	l, err := m.Acquire(ctx, "billing", lease.Holder{Name: "node-a", Incarnation: "1"}, 15*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	pay := goredis.NewScript(`
		if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('STALE another leads') end
		return redis.call('INCRBY', KEYS[2], ARGV[2])`)
	err = pay.Run(ctx, client, []string{m.Record("billing"), "ledger:{billing}"}, l.Term.String(), 100).Err()
	if err != nil {
		log.Println("nothing was paid:", err)
	}
}
