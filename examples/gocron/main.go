// A scheduler on every node, jobs on the leader only: go-co-op/gocron with an election behind it.
//
// Run it twice, in two terminals, on one directory:
//
//	go run ./gocron /tmp/reports
//
// One of them starts a report every five seconds; the other stands by. Press Ctrl-C in the first while a report is
// being written: the report is told to stop, and only when it has, the other takes over, under the next term. Kill
// the first with SIGKILL instead, and the other takes over when the lease has run out, after 15 seconds at most on
// Linux, a little more elsewhere.
//
// Look at three lines of run:
//
//   - WithDistributedElector(campaign): a Campaign is a gocron Elector as it is. gocron asks it once for each job
//     that is due, and skips the job on followers.
//   - reports.Job(write): gocron never tells a running job that leadership has ended. The guard does: the context
//     of a job ends with the tenure, and the job gets the tenure, whose term goes along with every write.
//   - Lead: reports.Lead: running jobs are the leader's work, so the lease is not released while one runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/examples/guard"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/file"
)

// run schedules reports on this node until ctx ends.
func run(ctx context.Context, store lease.Manager, name string, out *log.Logger) error {
	var reports guard.Guard
	node, err := actor.New(actor.Config{Name: name, Manager: store})
	if err != nil {
		return err
	}
	campaign, err := node.Campaign(actor.Election{Key: "reports", Lead: reports.Lead})
	if err != nil {
		return err
	}
	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(campaign))
	if err != nil {
		return err
	}
	write := func(ctx context.Context, t *actor.Tenure) error { return write(ctx, t, out) }
	_, err = scheduler.NewJob(gocron.DurationJob(5*time.Second), gocron.NewTask(reports.Job(write)))
	if err == nil {
		scheduler.Start()
		err = node.Run(ctx) // when it returns, every job has
	}
	return errors.Join(err, scheduler.Shutdown())
}

// write writes a report of three pages, one a second.
func write(ctx context.Context, t *actor.Tenure, out *log.Logger) error {
	for page := 1; page <= 3; page++ {
		select {
		case <-ctx.Done():
			out.Printf("%s: told to stop: %v", t.Lease().Holder, context.Cause(ctx))
			return context.Cause(ctx)
		case <-time.After(time.Second):
			out.Printf("%s: page %d, term %d", t.Lease().Holder, page, t.Term())
		}
	}
	return nil
}

func main() {
	flag.Parse()
	store, err := file.New(file.Config{Dir: flag.Arg(0), Create: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name := fmt.Sprintf("process %d", os.Getpid())
	if err = run(ctx, store, name, log.New(os.Stdout, "", log.Ltime)); err != nil {
		log.Fatal(err)
	}
}
