package main

import (
	"bytes"
	"context"
	"log"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `ann: page 1, term 1
ann: page 2, term 1
ann: page 3, term 1
ann: page 1, term 1
ann: told to stop: actor: term 1 of "reports" ended: lost: lease: lost "reports", term 1: held by cid under term 2
ben: page 1, term 4
ben: page 2, term 4
ben: page 3, term 4
ben: page 1, term 4
ben: told to stop: actor: term 4 of "reports" ended: stopped
`

// Two schedulers in one process, in virtual time. After 11.5 s an operator takes the lease from ann, and
// a second later gives it to ben.
func TestTheLeaderRunsTheJobsAndLossStopsTheRunningOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		lines := log.New(&out, "", 0)
		store := &memory.Manager{Quiet: true}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		for _, name := range []string{"ann", "ben"} {
			go func() { ended <- run(ctx, store, name, lines) }()
			synctest.Wait() // ann is first
		}
		time.Sleep(11500 * time.Millisecond)
		store.Assign("reports", "cid")
		time.Sleep(time.Second)
		store.Assign("reports", "ben")
		time.Sleep(9 * time.Second)
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if got := out.String(); got != want {
			t.Errorf("it printed\n%swant\n%s", got, want)
		}
	})
}
