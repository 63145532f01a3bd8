//go:build linux

package s3

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// stand runs a node with one election for the length of a test, and returns the election, and how to end it and read
// what it has logged.
func stand(t *testing.T, c actor.Config, e actor.Election) (*actor.Campaign, func() string) {
	t.Helper()
	var log bytes.Buffer // read only after the node has ended
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	node, err := actor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	campaign, err := node.Campaign(e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	stopped := false
	stop := func() string {
		if cancel(); !stopped {
			stopped = true
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("the node ends with %v", err)
			}
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return campaign, stop
}

func leads(t *testing.T, c *actor.Campaign) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Wait(ctx, fsm.Leader); err != nil {
		t.Fatalf("it does not lead within a minute: %v; %+v", err, c.Status())
	}
}

func TestANodeTellsOfAPermanentFaultOnceAndIsInNoHurry(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := open(t, Config{Client: connect(t, s.Addr()), Bucket: "nowhere"})
		var calls atomic.Int64
		count := actor.Hooks{Called: func(string, fsm.Op, time.Duration, error) { calls.Add(1) }}
		begun := time.Now()
		// Calls are given time enough, so that each brings the fault itself.
		timing := fsm.Timing{TTL: time.Minute, CallTimeout: 5 * time.Second, Retry: 10 * time.Millisecond,
			Poll: 100 * time.Millisecond}
		c, stop := stand(t, actor.Config{Manager: m, Hooks: count}, actor.Election{Key: "k", Timing: timing})
		eventually(t, "the store was asked three times", func() bool { return calls.Load() >= 3 })
		err := c.Status().Err
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "NoSuchBucket") {
			t.Errorf("Status says %v", err)
		}
		// Four polls, less a fifth at random, lie between two attempts.
		asked, took := calls.Load(), time.Since(begun)
		if most := 2 + int64(took/(320*time.Millisecond)); asked > most {
			t.Errorf("asked %d times in %v; want at most %d", asked, took, most)
		}
		log := stop()
		if n := strings.Count(log, "level=WARN"); n != 1 || strings.Contains(log, servers.S3Secret) {
			t.Errorf("the fault is logged %d times:\n%s", n, log)
		}
	})
}

func TestANodeStandsByUntilTheServerComesAndIsFollowedWhenItGoes(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		s.Kill()
		e := actor.Election{Key: "k", TTL: 2 * time.Second}
		first, stop := stand(t, actor.Config{Name: "first", Manager: opened(t, s.Addr())}, e)
		eventually(t, "the fault shows", func() bool { return first.Status().Err != nil })
		if err := first.Status().Err; errors.Is(err, lease.ErrPermanent) {
			t.Errorf("Status says %v", err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		leads(t, first)
		term := first.Status().Term
		second, _ := stand(t, actor.Config{Name: "second", Manager: opened(t, s.Addr())}, e)
		eventually(t, "the second knows the first", func() bool { return second.Status().Leader.Name == "first" })
		stop()
		leads(t, second)
		if now := second.Status().Term; now <= term {
			t.Errorf("R4: term %d after %d", now, term)
		}
	})
}
