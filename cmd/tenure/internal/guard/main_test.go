//go:build unix

package guard_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

// The test binary is its own guardian, and its own process that holds a guardian and can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "guard":
			os.Exit(guard.Main())
		case "hold":
			os.Exit(hold(os.Args[2], os.Args[3], os.Args[4:]))
		}
	}
	// A program built with the race detector lingers for a second before it ends, unless it is told not to.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	// Nohup and a shell's & leave signals ignored, for what is started here, too, unless they are listened to.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	goleak.VerifyTestMain(m)
}

// hold guards a command with deadlines that lie soft and hard ahead and are moved on ten times as often. It prints the
// process IDs of the group and of the guardian, and leaves when the command is gone.
func hold(soft, hard string, args []string) int {
	s, err1 := time.ParseDuration(soft)
	h, err2 := time.ParseDuration(hard)
	g, err3 := guard.Prepare(self(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err1 != nil || err2 != nil || err3 != nil {
		fmt.Fprintln(os.Stderr, err1, err2, err3)
		return 1
	}
	group, err := g.Start(guard.Command{Path: args[0], Args: args, Env: os.Environ()}, within(minute, minute))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	g.Extend(within(s, h))
	fmt.Println(group, g.PID())
	for {
		select {
		case <-time.After(s / 10):
			g.Extend(within(s, h))
		case <-g.Gone():
			fmt.Println(g.Exit())
			return 0
		}
	}
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

func within(soft, hard time.Duration) guard.Deadline {
	now := hostclock.Now()
	return guard.Deadline{Soft: now.Add(soft), Hard: now.Add(hard)}
}
