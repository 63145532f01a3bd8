package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

// punctual gives up at the very deadline of the context, as a connection does, and does not say why.
type punctual struct{ *memory.Manager }

func (punctual) Read(ctx context.Context, _ string) (lease.Record, error) {
	end, _ := ctx.Deadline()
	for time.Now().Before(end) { // does not wait for the context, which may be told later
	}
	return lease.Record{}, errors.New("i/o timeout")
}

func TestAStoreThatDoesNotAnswerIsSaidNotToWhoeverGivesUpFirst(t *testing.T) {
	m := punctual{&memory.Manager{Quiet: true}}
	for range 20 {
		_, err := ask(t.Context(), m, "k", 5*time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), "no answer within 5ms: i/o timeout") {
			t.Fatalf("it says %v", err)
		}
	}
}
