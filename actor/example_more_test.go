package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/memory"
)

func ExampleCampaign_Leaderz() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, c *actor.Campaign) {
		_ = c.Wait(ctx, fsm.Leader)
		for name, h := range map[string]int{
			"livez":   get(node.Livez()),
			"readyz":  get(node.Readyz()),
			"leaderz": get(c.Leaderz()),
		} {
			fmt.Println(name, h)
		}
	})
	// Unordered output:
	// livez 200
	// readyz 200
	// leaderz 200
}

func ExampleCampaign_Check() {
	run(actor.Election{Key: "billing", Paused: true}, func(ctx context.Context, _ *actor.Node, c *actor.Campaign) {
		if err := c.Check(ctx); errors.Is(err, actor.ErrNotLeading) {
			fmt.Println("leave it to the leader")
		}
	})
	// Output: leave it to the leader
}

func ExampleCampaign_HandOver() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, c *actor.Campaign) {
		_ = c.Wait(ctx, fsm.Leader)
		_ = c.HandOver() // and stand back until another has led
		for t := range node.Events(ctx, events.Options{Key: "billing", Policy: events.DropOldest}) {
			if t.To == fsm.Follower {
				fmt.Println(t.Reason)
				break
			}
		}
	})
	// Output: released
}

func ExampleCampaign_Withdraw() {
	run(actor.Election{Key: "billing"}, func(ctx context.Context, node *actor.Node, c *actor.Campaign) {
		_ = c.Withdraw()
		<-c.Done()
		fmt.Println("why:", c.Err())
		for c := range node.Campaigns() {
			fmt.Println("still standing for", c.Key())
		}
	})
	// Output: why: <nil>
}

func ExampleElection_heartbeat() {
	beats := 0
	run(actor.Election{
		Key:            "billing",
		HeartbeatEvery: time.Millisecond,
		Heartbeat: func(_ context.Context, leading bool) error { // on leader and follower alike
			if beats++; beats == 3 {
				return errors.New("the disk is full")
			}
			return nil
		},
	}, func(_ context.Context, _ *actor.Node, c *actor.Campaign) {
		<-c.Done()
		fmt.Println(beats, "beats, then:", c.Err())
	})
	// Output: 3 beats, then: the disk is full
}

func ExampleHooks() {
	won := make(chan struct{})
	node, _ := actor.New(actor.Config{
		Name:   "node-a",
		Logger: slog.New(slog.NewTextHandler(os.Stdout, plain)),
		Hooks: actor.Hooks{
			Moved: func(t events.Transition) {
				if t.To == fsm.Leader {
					close(won) // count it; do no more here
				}
			},
		},
		Manager: quiet(),
	})
	_, _ = node.Campaign(actor.Election{Key: "billing"})
	ctx, stop := context.WithCancel(context.Background())
	go func() { <-won; stop() }()
	_ = node.Run(ctx)
	// Output:
	// level=INFO msg=moved node=node-a key=billing from=acquiring to=leader reason=won term=1 err=<nil>
	// level=INFO msg=moved node=node-a key=billing from=leader to=releasing reason=stopped term=1 err=<nil>
	// level=INFO msg=moved node=node-a key=billing from=releasing to=follower reason=released term=1 err=<nil>
}

// The lease length that Topshelf.Leader derives from its two intervals.
func ExampleMeanTTL() {
	renew, acquire := 2*time.Second, 5*time.Second
	election := actor.Election{Key: "billing", TTL: actor.MeanTTL(renew, acquire)}
	fmt.Println(election.TTL)
	// Output: 3.5s
}

func ExampleElection_timing() {
	timing := fsm.Timing{TTL: 20 * time.Second, Grace: 5 * time.Second} // work that needs 5 s to stop
	fmt.Println("a fault:", timing.Check())
	fmt.Println("leads, after a renewal was sent, for", timing.Derive().Lead())
	run(actor.Election{Key: "billing", Timing: timing}, func(ctx context.Context, _ *actor.Node, c *actor.Campaign) {
		_ = c.Wait(ctx, fsm.Leader)
		fmt.Println("leading:", c.Status().Leading)
	})
	// Output:
	// a fault: <nil>
	// leads, after a renewal was sent, for 14.8s
	// leading: true
}

// plain leaves the time out of a log, so that it is the same every day.
var plain = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

func quiet() *memory.Manager { return &memory.Manager{Quiet: true} }

func get(h http.Handler) int {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/", nil))
	return r.Code
}
