//go:build unix

package guard_test

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

func ExamplePrepare() {
	executable, err := os.Executable() // its main returns Main() when it is called with the argument "guard"
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := guard.Prepare(executable, slog.Default())
	if err != nil {
		fmt.Println(err)
		return
	}
	in := func(d time.Duration) hostclock.Instant { return hostclock.Now().Add(d) }
	c := guard.Command{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 1000 & sleep 1000"}, Grace: time.Second}
	if _, err := g.Start(c, guard.Deadline{Soft: in(time.Minute), Hard: in(time.Minute)}); err != nil {
		fmt.Println(err)
		return
	}
	g.Extend(guard.Deadline{Soft: in(2 * time.Minute), Hard: in(3 * time.Minute)}) // after each renewal
	g.Stop(10 * time.Second)
	<-g.Gone()
	fmt.Println("gone:", g.Exit())
	fmt.Println("a shell would say", g.Exit().Status())
	// Output:
	// gone: signal 15 (terminated)
	// a shell would say 143
}
