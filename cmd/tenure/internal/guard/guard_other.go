//go:build !unix

package guard

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Guardian cannot be had on this system: there is no process group to kill. See Prepare.
type Guardian struct{}

// Prepare refuses: without process groups nothing can be promised of what the command starts.
func Prepare(string, *slog.Logger) (*Guardian, error) {
	return nil, fmt.Errorf("guarding a command needs process groups, which %s has not; "+
		"let the program itself stand, with package actor", runtime.GOOS)
}

// Main refuses.
func Main() int {
	fmt.Fprintln(os.Stderr, "tenure guard: not on "+runtime.GOOS)
	return 64
}

// Forwarded lists nothing.
func Forwarded() []os.Signal { return nil }

// The methods are never called: there is no Guardian.

func (*Guardian) Start(Command, Deadline) (int, error) { return 0, ErrLate }
func (*Guardian) Extend(Deadline)                      {}
func (*Guardian) Signal(syscall.Signal)                {}
func (*Guardian) Stop(time.Duration)                   {}
func (*Guardian) Kill()                                {}
func (*Guardian) PID() int                             { return 0 }
func (*Guardian) Gone() <-chan struct{}                { return nil }
func (*Guardian) Exit() Exit                           { return Exit{} }
func (*Guardian) Close(context.Context) error          { return nil }
