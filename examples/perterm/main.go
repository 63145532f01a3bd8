// One scheduler for each term: for schedulers that cannot be asked before each job, or cannot be started twice.
//
//	go run ./perterm
//
// This is the shortest way to put anything under an election that has a start and a stop: build it when the tenure
// begins, start it, wait for the end of the tenure, stop it, and return when it has stopped. It suits asynq's
// Scheduler, which cannot be started again once it has been shut down, and everything else that keeps state about
// what it has done: a new leader builds its state anew, from what is stored, and never goes on from what it
// remembers of its last term.
//
// Look at lead, which is all there is to it. Here robfig/cron stands for the scheduler. The program leads twice,
// pausing in between, and shows that the second scheduler begins anew with the second term.
package main

import (
	"context"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/go-tenure/tenure/actor"
)

// lead is the work: a scheduler that lives as long as the tenure.
func lead(ctx context.Context, t *actor.Tenure, out *log.Logger) error {
	scheduler := cron.New()
	var ticks atomic.Int64
	_, err := scheduler.AddFunc("@every 2s", func() { out.Printf("term %d: tick %d", t.Term(), ticks.Add(1)) })
	if err != nil {
		return err
	}
	scheduler.Start()
	<-ctx.Done()
	<-scheduler.Stop().Done() // waits for the jobs that run
	out.Printf("stopped: %v", context.Cause(ctx))
	return nil
}

// run leads for five seconds, stands back for two, and leads for five again.
func run(ctx context.Context, out *log.Logger) error {
	node, err := actor.New(actor.Config{})
	if err != nil {
		return err
	}
	campaign, err := node.Campaign(actor.Election{
		Key:  "ticks",
		Lead: func(ctx context.Context, t *actor.Tenure) error { return lead(ctx, t, out) },
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	defer time.AfterFunc(5*time.Second, func() { _ = campaign.Pause() }).Stop()
	defer time.AfterFunc(7*time.Second, func() { _ = campaign.Resume() }).Stop()
	return node.Run(ctx)
}

func main() {
	if err := run(context.Background(), log.New(os.Stdout, "", log.Ltime)); err != nil {
		log.Fatal(err)
	}
}
