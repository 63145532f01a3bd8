package main

import (
	"bytes"
	"log"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `term 1: tick 1
term 1: tick 2
stopped: actor: term 1 of "ticks" ended: paused
term 2: tick 1
term 2: tick 2
stopped: actor: term 2 of "ticks" ended: stopped
`

func TestEachTermHasASchedulerOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), log.New(&out, "", 0)); err != nil {
			t.Error(err)
		}
		if got := out.String(); got != want {
			t.Errorf("it printed\n%swant\n%s", got, want)
		}
	})
}
