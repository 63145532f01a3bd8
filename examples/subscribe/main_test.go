package main

import (
	"bytes"
	"context"
	"log"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `nobody leads
ann leads, term 1
traffic goes to 10.0.0.1
nobody leads
ben leads, term 2
traffic goes to 10.0.0.2
my term 2 is over: stopped
the end
`

// ben, in virtual time, on a store where ann leads for the first ten seconds.
func TestSubscribersSeeEveryChangeOfLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		store := &memory.Manager{Quiet: true}
		ann := lease.Holder{Name: "ann", Incarnation: "1", Meta: "10.0.0.1"}
		held, err := store.Acquire(t.Context(), "billing", ann, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		ended := make(chan error)
		go func() { ended <- run(ctx, store, "ben", "10.0.0.2", log.New(&out, "", 0)) }()
		time.Sleep(10 * time.Second)
		if err := store.Release(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := out.String(); got != want {
			t.Errorf("it printed\n%swant\n%s", got, want)
		}
	})
}
