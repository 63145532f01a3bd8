package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/memory"
)

func ExampleRun() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	store := &memory.Manager{Quiet: true} // or one that other processes reach
	err := actor.Run(ctx, store, "billing", func(ctx context.Context, t *actor.Tenure) error {
		fmt.Println("leading under term", t.Term())
		// Work until ctx ends, then return: only then may somebody else lead.
		return actor.ErrOver // nil to stand again
	})
	fmt.Println("ended:", err)
	// Output:
	// leading under term 1
	// ended: <nil>
}

func ExampleNode_Subscribe() {
	node, err := actor.New(actor.Config{Name: "node-a", Manager: &memory.Manager{Quiet: true}})
	if err != nil {
		log.Fatal(err)
	}
	sub, err := node.Subscribe(context.Background(), events.Options{Key: "billing", Policy: events.DropOldest})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := node.Campaign(actor.Election{Key: "billing"}); err != nil { // without work: only announced
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = node.Run(ctx) }()
	for event := range sub.All() { // ends after the last event of the node
		fmt.Println(event)
		if event.To == fsm.Leader {
			stop()
		}
	}
	// Output:
	// #0 billing: is follower
	// #1 billing: follower -> acquiring (due)
	// #2 billing: acquiring -> leader (won), term 1
	// #3 billing: leader -> releasing (stopped), term 1
	// #4 billing: releasing -> follower (released), term 1
}

func ExampleNew() {
	_, err := actor.New(actor.Config{Name: "node a\n", MaxCalls: -1})
	fmt.Println(err)
	// Output:
	// actor: config: MaxCalls -1 must be 0 to 65536
	// actor: config: lease: name "node a\n" has the byte 0x0a at position 6; printable ASCII only
}

func ExampleNode_Campaign() {
	node, err := actor.New(actor.Config{Name: "node-a", Meta: "10.0.0.1:8080", Manager: &memory.Manager{Quiet: true}})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	billing, err := node.Campaign(actor.Election{
		Key: "billing",
		TTL: 15 * time.Second,
		Lead: func(ctx context.Context, t *actor.Tenure) error {
			fmt.Printf("%s leads %s\n", t.Lease().Holder, t.Key())
			<-ctx.Done()
			fmt.Println(context.Cause(ctx))
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- node.Run(ctx) }()
	if err := billing.Wait(ctx, fsm.Leader); err != nil { // more elections may be added, and withdrawn, at any time
		log.Fatal(err)
	}
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// node-a leads billing
	// actor: term 1 of "billing" ended: stopped
	// ended: <nil>
}

func ExampleNode_Events() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, _ *actor.Campaign) {
		for event := range node.Events(ctx, events.Options{Key: "billing"}) { // the newest, for who reads slowly
			if event.To == fsm.Leader {
				fmt.Println(event.Leader, "leads under term", event.Term)
				break
			}
		}
	})
	// Output: node-a leads under term 1
}

func ExampleTenure_Leading() {
	ctx, stop := context.WithCancel(context.Background())
	_ = actor.Run(ctx, &memory.Manager{Quiet: true}, "billing", func(ctx context.Context, t *actor.Tenure) error {
		for page := 1; t.Leading(); page++ { // asks the clock, not the store
			fmt.Println("page", page)
			if page == 2 {
				stop() // the process is told to stop
				<-ctx.Done()
			}
		}
		return nil
	})
	// Output:
	// page 1
	// page 2
}

// A resource that refuses smaller terms than it has seen cannot be harmed by a leader that does not know yet that it
// has been replaced.
func ExampleTenure_Term() {
	store, table := &memory.Manager{Quiet: true}, fencedTable{}
	for _, line := range []string{"first", "second"} {
		_ = actor.Run(context.Background(), store, "billing", func(_ context.Context, t *actor.Tenure) error {
			return errors.Join(table.write(uint64(t.Term()), line), actor.ErrOver)
		})
	}
	fmt.Println(table.write(1, "late"))
	// Output:
	// term 1 writes first
	// term 2 writes second
	// term 1 is over: 2 has written
}

type fencedTable struct{ newest uint64 }

func (f *fencedTable) write(term uint64, line string) error {
	if term < f.newest {
		return fmt.Errorf("term %d is over: %d has written", term, f.newest)
	}
	f.newest = term
	fmt.Println("term", term, "writes", line)
	return nil
}

func ExampleCampaign_Resign() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, c *actor.Campaign) {
		_ = c.Wait(ctx, fsm.Leader)
		if err := c.Resign(); err != nil { // somebody else gets a chance; after one poll this node stands again
			log.Fatal(err)
		}
		_ = c.Wait(ctx, fsm.Follower)
		fmt.Println(c.Check(ctx))
	})
	// Output: actor: not leading: "billing" is follower here, and no leader is known
}

func ExampleCampaign_Pause() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, c *actor.Campaign) {
		_ = c.Wait(ctx, fsm.Leader)
		_ = c.Pause() // for maintenance, say
		_ = c.Wait(ctx, fsm.Follower)
		fmt.Println("paused:", c.Status().Paused)
		_ = c.Resume()
		_ = c.Wait(ctx, fsm.Leader)
		fmt.Println("leading again, term", c.Status().Term)
	})
	// Output:
	// paused: true
	// leading again, term 2
}

// run runs a node with one election while f does its part.
func run(e actor.Election, f func(context.Context, *actor.Node, *actor.Campaign)) {
	node, err := actor.New(actor.Config{Name: "node-a", Manager: &memory.Manager{Quiet: true}})
	if err != nil {
		log.Fatal(err)
	}
	campaign, err := node.Campaign(e)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- node.Run(ctx) }()
	f(ctx, node, campaign)
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
