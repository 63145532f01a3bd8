// Old jobs, unchanged, on the leader only: robfig/cron with a guard around each job.
//
// Run it twice, in two terminals, on one directory:
//
//	go run ./cron /tmp/nightly
//
// Both say every three seconds that they are alive; only one of them backs up and only one cleans up. Press Ctrl-C in
// that one, and the other goes on with it at once.
//
// Look at the three kinds of job in run:
//
//   - one for every node, which cron starts as ever;
//   - one that knows nothing of leadership (func()), wrapped by whileLeading, a cron.JobWrapper: it is skipped on
//     followers, and the lease is not released while it runs. It cannot be told to stop, so after a loss of the
//     lease it runs on; whatever it writes to has to be safe against that;
//   - one that takes a context and the tenure, which is told.
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

	"github.com/robfig/cron/v3"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/examples/guard"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/file"
)

// whileLeading makes a job that does nothing unless this node leads.
func whileLeading(g *guard.Guard) cron.JobWrapper {
	return func(j cron.Job) cron.Job {
		run := g.Job(func(context.Context, *actor.Tenure) error { j.Run(); return nil })
		return cron.FuncJob(func() { _ = run(context.Background()) }) // the one error is that another node leads
	}
}

// run schedules the jobs of this node until ctx ends.
func run(ctx context.Context, store lease.Manager, name string, out *log.Logger) error {
	var leading guard.Guard
	node, err := actor.New(actor.Config{Name: name, Manager: store})
	if err != nil {
		return err
	}
	if _, err = node.Campaign(actor.Election{Key: "nightly", Lead: leading.Lead}); err != nil {
		return err
	}

	scheduler := cron.New()
	_, err1 := scheduler.AddFunc("@every 3s", func() { out.Printf("%s: alive", name) })

	cleanUp := cron.FuncJob(func() { out.Printf("%s: cleaned up", name) })
	_, err2 := scheduler.AddJob("@every 4s", whileLeading(&leading)(cleanUp))

	backUp := leading.Job(func(ctx context.Context, t *actor.Tenure) error {
		out.Printf("%s: backed up under term %d", name, t.Term())
		return ctx.Err()
	})
	_, err3 := scheduler.AddFunc("@every 5s", func() { _ = backUp(ctx) })

	if err = errors.Join(err1, err2, err3); err != nil {
		return err
	}
	scheduler.Start()
	err = node.Run(ctx)       // when it returns, every guarded job has
	<-scheduler.Stop().Done() // and now every other
	return err
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
