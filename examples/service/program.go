package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kardianos/service"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Windows gives a service five seconds to stop when the machine goes down (WaitToKillServiceTimeout). So Stop answers
// within stopLimit whatever happens, and these lengths, which together bound an orderly end, stay below it:
//
//	Grace, for the work to return          1.5 s
//	2 x CallTimeout, to release the lease  2.0 s
//	JoinLimit, for calls that hang         0.5 s
//
// The TTL takes no part in that: it decides how soon the other node takes over when this one is not stopped but lost.
const (
	stopLimit = 4500 * time.Millisecond
	joinLimit = 500 * time.Millisecond
)

func timing() fsm.Timing {
	return fsm.Timing{TTL: 15 * time.Second, Grace: 1500 * time.Millisecond, CallTimeout: time.Second}
}

// program is the service. Only one node of all that run it is active; the others stand by.
type program struct {
	name   string // of this node; may be empty
	store  lease.Manager
	printf func(format string, args ...any)
	failed func(error) // called at most once, if the service ends without having been asked to

	stop  context.CancelFunc
	ended chan error
}

var _ service.Interface = (*program)(nil)

// Start checks everything, starts the node and returns at once: it does not wait for leadership, which may never
// come.
func (p *program) Start(service.Service) error {
	node, err := actor.New(actor.Config{Name: p.name, Manager: p.store, JoinLimit: joinLimit})
	if err != nil {
		return err
	}
	campaign, err := node.Campaign(actor.Election{
		Key: "active-passive", Timing: timing(), Lead: p.lead,
		Heartbeat: p.beat, HeartbeatEvery: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.ended = cancel, make(chan error, 1)
	go func() { p.ended <- node.Run(ctx) }()
	go func() {
		select {
		case <-ctx.Done():
		case <-campaign.Done(): // a heartbeat has failed, or the work is over for good
			p.failed(fmt.Errorf("left the election: %w", campaign.Err()))
		}
	}()
	return nil
}

// Stop ends the work, hands the lease over and waits for both, so that the node that stands by is active by the
// time this process has gone. If the work does not return in time, the lease is left to run out, and Stop says so.
func (p *program) Stop(service.Service) error {
	p.stop()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case err := <-p.ended:
		p.printf("stopped")
		return err
	case <-limit.C:
		return errors.New("the work has not returned; the other node takes over when the lease runs out")
	}
}

// lead is what the active node does.
func (p *program) lead(ctx context.Context, t *actor.Tenure) error {
	p.printf("active, term %d", t.Term())
	every := time.NewTicker(12 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			p.printf("no longer active: %v", context.Cause(ctx))
			return nil
		case <-every.C:
			p.printf("working, term %d", t.Term())
		}
	}
}

// beat tells that this node is alive, active or not. Its error would end the election and with it the service.
func (p *program) beat(_ context.Context, leading bool) error {
	p.printf("alive, active: %t", leading)
	return nil
}
