// The ten-line service: work that runs in one process at a time, however many are started.
//
// Run it in two terminals, on one directory:
//
//	go run ./tenlines /tmp/ten
//
// One leads, the other waits. Press Ctrl-C in the one that leads, and the other leads at once. Start the first
// again and kill the one that leads with "kill -9" and the number that it printed: nobody releases the lease then,
// so the other leads when it has run out, after 15 seconds at most on Linux, a little more elsewhere.
//
// Look at work: it gets a context that ends when leadership does, and a term that rises with each leader. To do
// something instead of nothing, do it until ctx ends, and send t.Term() along with whatever it writes.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/file"
)

func work(ctx context.Context, t *actor.Tenure) error {
	fmt.Printf("process %d leads, term %d\n", os.Getpid(), t.Term())
	<-ctx.Done()
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flag.Parse()
	store, err := file.New(file.Config{Dir: flag.Arg(0), Create: true})
	if err == nil {
		err = actor.Run(ctx, store, "ten-lines", work)
	}
	if err != nil {
		log.Fatal(err)
	}
}
