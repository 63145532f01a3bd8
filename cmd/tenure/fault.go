package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

// Exit codes, as of sysexits.h where it has one.
const (
	statusNo          = 1  // the answer is no
	statusUsage       = 64 // EX_USAGE
	statusUnavailable = 69 // EX_UNAVAILABLE
	statusInternal    = 70 // EX_SOFTWARE
	statusNotElected  = 75 // EX_TEMPFAIL
	statusNotRunnable = 126
	statusNotFound    = 127
)

const statusHelp = `Exit codes:

  0        done; also a stop that was asked for
  1        the answer is no: not leading (check), not led (status), not resigned (resign)
  64       wrong usage
  69       the store, or the tenure asked, cannot be reached or used
  75       not elected within --wait
  126 127  the command cannot be executed, is not found
  128+n    with --once: the command was ended by signal n
  other    with --once: the command's own
`

// usage returns the exit code and the error of a wrong command line.
func usage(format string, args ...any) (int, error) { return statusUsage, fmt.Errorf(format, args...) }

// unusable returns the exit code and the error of a store that cannot be used.
func unusable(err error) (int, error) { return statusUnavailable, err }

// answerWithin is how long a store may take to answer a question, unless --timeout says otherwise.
const answerWithin = 5 * time.Second

// ask reads who leads, and waits for no longer than d. The errors of clients do not always say what ended the wait.
func ask(ctx context.Context, m store.Manager, key string, d time.Duration) (lease.Record, error) {
	end := time.Now().Add(d)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	r, err := m.Read(ctx, key)
	// A connection that has the same deadline may come to its end before the context does.
	if err != nil && ctx.Err() != context.Canceled && !time.Now().Before(end) {
		err = fmt.Errorf("no answer within %v: %w", d, err)
	}
	return r, err
}

// oneLine puts all lines of an error on one, and leaves out which package says it.
func oneLine(err error) string {
	var lines []string
	for _, l := range strings.Split(err.Error(), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "; ")
}

// answered reports whether err is an answer of the store and not a failure to get one.
func answered(err error) bool {
	return err == nil || errors.Is(err, lease.ErrHeld) || errors.Is(err, lease.ErrLost)
}
