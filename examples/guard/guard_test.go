package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/examples/guard"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/memory"
)

func Example() {
	var g guard.Guard
	node, err := actor.New(actor.Config{Manager: &memory.Manager{Quiet: true}})
	if err != nil {
		log.Fatal(err)
	}
	c, err := node.Campaign(actor.Election{Key: "reports", Lead: g.Lead})
	if err != nil {
		log.Fatal(err)
	}
	report := g.Job(func(_ context.Context, t *actor.Tenure) error {
		fmt.Println("reporting under term", t.Term())
		return nil
	})

	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(report(ctx))
	ended := make(chan error)
	go func() { ended <- node.Run(ctx) }()
	_ = c.Wait(ctx, fsm.Leader)
	for errors.Is(report(ctx), actor.ErrNotLeading) { // the work begins a moment after the election is won
		time.Sleep(time.Millisecond)
	}
	cancel()
	fmt.Println(<-ended)
	fmt.Println(report(context.Background()))
	// Output:
	// actor: not leading
	// reporting under term 1
	// <nil>
	// actor: not leading
}

// scene is a node with a guard, on a store of its own, in virtual time.
type scene struct {
	guard    guard.Guard
	store    memory.Manager
	campaign *actor.Campaign
	stop     func() error
}

// play runs story beside a node that leads, and stops the node in the end.
func play(t *testing.T, story func(t *testing.T, s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{store: memory.Manager{Quiet: true}}
		node, err := actor.New(actor.Config{Name: "ann", Manager: &s.store})
		if err != nil {
			t.Fatal(err)
		}
		if s.campaign, err = node.Campaign(actor.Election{Key: "reports", Lead: s.guard.Lead}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		s.stop = func() error { cancel(); return <-ended }
		go func() { ended <- node.Run(ctx) }()
		synctest.Wait()
		story(t, s)
		cancel()
		synctest.Wait()
	})
}

// begin starts a job that waits for the end of its context, says why through the channel, and returns after another
// delay.
func (s *scene) begin(ctx context.Context, delay time.Duration) (why <-chan error) {
	c := make(chan error, 1)
	go func() {
		_ = s.guard.Job(func(ctx context.Context, _ *actor.Tenure) error {
			<-ctx.Done()
			time.Sleep(delay)
			c <- context.Cause(ctx)
			return nil
		})(ctx)
	}()
	synctest.Wait()
	return c
}

// receive returns what comes through c within a second.
func receive(c <-chan error) error {
	select {
	case err := <-c:
		return err
	case <-time.After(time.Second):
		return errors.New("(it goes on)")
	}
}

func TestTheLossOfTheLeaseEndsTheContextOfARunningJob(t *testing.T) {
	play(t, func(t *testing.T, s *scene) {
		why := s.begin(t.Context(), 0)
		s.store.Assign("reports", "ben")
		var ended *actor.Ended
		if err := receive(why); !errors.As(err, &ended) || ended.Reason != fsm.Lost || ended.Term != 1 {
			t.Errorf("the context ended with %v, want the loss of term 1", err)
		}
	})
}

func TestTheSchedulersContextEndsTheContextOfARunningJob(t *testing.T) {
	play(t, func(t *testing.T, s *scene) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := s.begin(ctx, 0)
		removed := errors.New("the job was removed")
		cancel(removed)
		if err := receive(why); err != removed {
			t.Errorf("the context ended with %v, want %v", err, removed)
		}
		if !s.campaign.Status().Leading {
			t.Error("the end of a job ended the tenure")
		}
	})
}

func TestTheLeaseIsReleasedOnlyAfterTheLastJobHasReturned(t *testing.T) {
	play(t, func(t *testing.T, s *scene) {
		s.begin(t.Context(), time.Second)
		s.begin(t.Context(), 2*time.Second)
		if err := s.campaign.Resign(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for held := true; held; time.Sleep(10 * time.Millisecond) {
			r, err := s.store.Read(t.Context(), "reports")
			if err != nil {
				t.Fatal(err)
			}
			held = !r.Vacant()
		}
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("the lease was released after %v, with a job still running", took)
		}
	})
}

func TestAJobIsRefusedOnceTheTenureIsOver(t *testing.T) {
	play(t, func(t *testing.T, s *scene) {
		ran := false
		job := s.guard.Job(func(context.Context, *actor.Tenure) error { ran = true; return nil })
		s.begin(t.Context(), time.Second) // keeps Lead from returning
		s.store.Assign("reports", "ben")
		synctest.Wait()
		if err := job(t.Context()); !errors.Is(err, actor.ErrNotLeading) || ran {
			t.Errorf("after the loss: error %v, job called: %t", err, ran)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if err := job(t.Context()); !errors.Is(err, actor.ErrNotLeading) || ran {
			t.Errorf("after the end: error %v, job called: %t", err, ran)
		}
	})
}

func TestTheErrorOfAJobReachesTheSchedulerAndNotTheElection(t *testing.T) {
	play(t, func(t *testing.T, s *scene) {
		fault := errors.New("no paper")
		err := s.guard.Job(func(context.Context, *actor.Tenure) error { return fault })(t.Context())
		if err != fault {
			t.Errorf("the scheduler gets %v, want %v", err, fault)
		}
		if st := s.campaign.Status(); !st.Leading || !strings.Contains(st.Leader.String(), "ann") {
			t.Errorf("the election stands at %+v, want ann to lead on", st)
		}
	})
}

// The node is stuck in a hook of the user's, as a process is that was stopped and goes on: nothing has ended the
// context.
func TestAJobIsRefusedWhenTheTimeIsUpThoughTheNodeHasNotNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g guard.Guard
		node, err := actor.New(actor.Config{
			Manager: &memory.Manager{Quiet: true},
			Hooks: actor.Hooks{Called: func(_ string, op fsm.Op, _ time.Duration, _ error) {
				if op == fsm.Renew {
					time.Sleep(time.Minute)
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = node.Campaign(actor.Election{Key: "reports", Lead: g.Lead}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ended := make(chan error)
		go func() { ended <- node.Run(ctx) }()
		time.Sleep(time.Second)
		job := g.Job(func(ctx context.Context, _ *actor.Tenure) error { return context.Cause(ctx) })
		if err := job(ctx); err != nil {
			t.Errorf("while the node leads: %v", err)
		}
		time.Sleep(20 * time.Second)
		if err := job(ctx); !errors.Is(err, actor.ErrNotLeading) {
			t.Errorf("after the time was up: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
