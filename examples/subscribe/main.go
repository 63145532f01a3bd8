// Subscribing to leadership: who leads, since when, why not any more.
//
// Run it two or three times, in as many terminals, on one directory, and give each a name:
//
//	go run ./subscribe /tmp/billing ann
//	go run ./subscribe /tmp/billing ben
//
// Each stands in the election and prints what it learns of it, of itself and of the others. Press Ctrl-C in the
// terminal of the leader: the others see that nobody leads, and then who does. Look at the first line of a process
// that starts late: it knows at once how things stand, because a subscription begins with a snapshot.
//
// There are two subscribers, with different needs:
//
//   - journal wants every event, so it asks for DropOldest with the room that this needs; should it fall behind all
//     the same, Missed says by how much. It reads to the end: the last event of a node precedes the end of the
//     sequence. That is why it subscribes with a context that does not end with that of Run; otherwise it would
//     miss the last ones.
//   - proxy is slow, and cares for the present leader only: Latest. While it reloads, events come and go; what it
//     gets next is the newest. Neither the election nor the journal waits for it.
//
// Events tell people and programs what has happened. They do not protect anything: for that, work has its context
// and its term, as the other examples show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/file"
)

// run stands in the election, reachable at address, until ctx ends.
func run(ctx context.Context, store lease.Manager, name, address string, out *log.Logger) error {
	node, err := actor.New(actor.Config{Name: name, Meta: address, Manager: store})
	if err != nil {
		return err
	}
	if _, err = node.Campaign(actor.Election{Key: "billing"}); err != nil { // no Lead: leadership is only announced
		return err
	}
	toTheEnd := context.WithoutCancel(ctx)
	all, err1 := node.Subscribe(toTheEnd, events.Options{Key: "billing", Policy: events.DropOldest})
	newest, err2 := node.Subscribe(toTheEnd, events.Options{Key: "billing", Policy: events.Latest})
	if err = errors.Join(err1, err2); err != nil {
		return err
	}
	var readers sync.WaitGroup
	readers.Go(func() { journal(all, out) })
	readers.Go(func() { proxy(newest, out) })
	err = node.Run(ctx)
	readers.Wait()
	return err
}

// journal prints every change of leadership that the node sees.
func journal(s *events.Subscription, out *log.Logger) {
	var leader lease.Holder
	for t := range s.All() {
		if t.Missed > 0 {
			out.Printf("%d events missed", t.Missed)
		}
		switch {
		case t.From == fsm.Leader && t.To == fsm.Releasing:
			out.Printf("my term %d is over: %v", t.Term, t.Reason)
		case t.Leader == leader && !t.Snapshot:
			continue // it stood and was refused
		case t.Leader.IsZero():
			out.Printf("nobody leads")
		default:
			out.Printf("%s leads, term %d", t.Leader, t.Term)
		}
		leader = t.Leader
	}
	out.Printf("the end")
}

// proxy sends the traffic to whoever leads. A reload takes it three seconds.
func proxy(s *events.Subscription, out *log.Logger) {
	var address string
	for t := range s.All() {
		if t.Leader.IsZero() || t.Leader.Meta == address {
			continue
		}
		address = t.Leader.Meta
		time.Sleep(3 * time.Second)
		out.Printf("traffic goes to %s", address)
	}
}

func main() {
	flag.Parse()
	store, err := file.New(file.Config{Dir: flag.Arg(0), Create: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	address := fmt.Sprintf("process %d", os.Getpid())
	if err = run(ctx, store, flag.Arg(1), address, log.New(os.Stdout, "", log.Ltime)); err != nil {
		log.Fatal(err)
	}
}
