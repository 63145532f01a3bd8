package actor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSmoke(t *testing.T) {
	m := &memory.Manager{Quiet: true}
	ctx, cancel := context.WithCancel(context.Background())
	var nodes []*Node
	done := make(chan error, 2)
	for i := range 2 {
		n, err := New(Config{Name: fmt.Sprint("n", i), Manager: m})
		if err != nil {
			t.Fatal(err)
		}
		c, err := n.Campaign(Election{Key: "billing", TTL: time.Second, Lead: func(ctx context.Context, t *Tenure) error {
			<-ctx.Done()
			var e *Ended
			if !errors.As(context.Cause(ctx), &e) {
				return errors.New("no cause")
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		sub, err := n.Subscribe(ctx, events.Options{Policy: events.DropOldest})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for e := range sub.All() {
				t.Log(n.config.Name, e)
			}
		}()
		nodes = append(nodes, n)
		_ = c
		go func() { done <- n.Run(ctx) }()
		c.Wait(ctx, fsm.Acquiring)
		time.Sleep(20 * time.Millisecond)
	}
	l := nodes[0].Find("billing")
	l.Wait(ctx, fsm.Leader)
	began := time.Now()
	l.HandOver()
	nodes[1].Find("billing").Wait(ctx, fsm.Leader)
	t.Log(time.Since(began))
	time.Sleep(1500 * time.Millisecond)
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
