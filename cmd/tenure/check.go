package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
	"github.com/go-tenure/tenure/lease"
)

func checkCommand() *command {
	return &command{
		name: "check", args: "[--quiet] [--timeout D]",
		summary: "succeed while the tenure that runs this script leads", run: check,
		about: "It is for scripts that `tenure run` runs, before each step that only the leader may do:\n\n" +
			"  tenure check || exit\n\n" +
			"  --quiet      say nothing\n" +
			"  --timeout D  how long that tenure may take to answer; default 2s\n\n" +
			"It exits with 0 if that tenure leads at this moment, under the term that the script was started for;\n" +
			"with 1 if not; with 69 if it cannot be asked, because it has ended or is stopped.\n",
	}
}

func check(c *command, args []string, _ io.Writer) (int, error) {
	f := newFlags(c)
	quiet := f.Bool("quiet", false, "")
	timeout := f.Duration("timeout", 2*time.Second, "")
	if _, err := f.parse(args); err != nil {
		return statusUsage, err
	}
	status, err := asked(*timeout)
	if *quiet && status != statusUsage {
		err = nil
	}
	return status, err
}

func asked(timeout time.Duration) (int, error) {
	path, key := os.Getenv("TENURE_SOCK"), os.Getenv("TENURE_KEY")
	term, err := strconv.ParseUint(os.Getenv("TENURE_TERM"), 10, 64)
	if path == "" || key == "" || err != nil || term == 0 {
		return usage("TENURE_SOCK, TENURE_KEY and TENURE_TERM are not set; run it in a script that `tenure run` runs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a, err := control.Ask(ctx, path, control.Request{Ask: control.Check, Key: key, Term: lease.Term(term)})
	if err == nil && a.Err != "" {
		err = errors.New(a.Err)
	}
	switch {
	case err != nil:
		return statusUnavailable, err
	case !a.Leading && a.Term != lease.Term(term):
		return statusNo, fmt.Errorf("term %d of %q has ended; the newest known is %d", term, key, a.Term)
	case !a.Leading || a.Until.Passed(): // The answer may have been long under way.
		return statusNo, fmt.Errorf("term %d of %q has ended", term, key)
	}
	return 0, nil
}
