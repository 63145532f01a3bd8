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

const want = `ann: alive
ann: cleaned up
ann: backed up under term 1
ann: alive
ben: alive
ann: cleaned up
ann: alive
ben: alive
ben: cleaned up
ben: alive
ben: backed up under term 2
`

// Two schedulers in one process, in virtual time: ann from 0 to 9.5 s, ben from 4.4 to 15.5 s. No two jobs that
// print are due in one second.
func TestOnlyTheLeaderRunsTheGuardedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		lines := log.New(&out, "", 0)
		store := &memory.Manager{Quiet: true}
		ended := make(chan error)
		play := func(name string, d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			ended <- run(ctx, store, name, lines)
		}
		go play("ann", 9500*time.Millisecond)
		time.Sleep(4400 * time.Millisecond)
		go play("ben", 11100*time.Millisecond)
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
