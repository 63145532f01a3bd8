package guard

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

// Allowance is how much later than the guardian tenure itself acts on a hard deadline. Set hard deadlines so much
// before the end of the lease that this still falls inside it.
const Allowance = 100 * time.Millisecond

// Deadline is how long the command may run.
type Deadline struct {
	// Soft is when the command is asked to end.
	Soft hostclock.Instant `json:"soft"`
	// Hard is when it is killed.
	Hard hostclock.Instant `json:"hard"`
}

// Command is what to run.
type Command struct {
	// Path is the file to execute, Args its arguments with its own name first, Env its whole environment.
	Path string
	Args []string
	Env  []string
	// Grace is how long those get that the command leaves behind when it ends by itself.
	Grace time.Duration
}

// wireCommand is a Command on the wire: in bytes, because arguments and environment need not be valid text, and JSON
// mends what is not.
type wireCommand struct {
	Path  []byte        `json:"path"`
	Args  [][]byte      `json:"args"`
	Env   [][]byte      `json:"env"`
	Grace time.Duration `json:"grace"`
}

func (c Command) wire() *wireCommand {
	return &wireCommand{[]byte(c.Path), each[[]byte](c.Args), each[[]byte](c.Env), c.Grace}
}

func (w *wireCommand) command() Command {
	return Command{string(w.Path), each[string](w.Args), each[string](w.Env), w.Grace}
}

func each[To, From ~string | ~[]byte](list []From) []To {
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = To(v)
	}
	return out
}

// Exit is how a command ended.
type Exit struct {
	// Code is its exit code if it ended by itself.
	Code int `json:"code"`
	// Signal is what ended it otherwise, or zero.
	Signal syscall.Signal `json:"signal,omitempty"`
	// Forced is why the guardian killed the group, or empty if it did not.
	Forced string `json:"forced,omitempty"`
}

// Status returns the exit code a shell would report: the command's own, or 128 and the number of the signal.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// String says how the command ended, in words.
func (e Exit) String() string {
	s := fmt.Sprintf("exit code %d", e.Code)
	if e.Signal != 0 {
		s = fmt.Sprintf("signal %d (%v)", int(e.Signal), e.Signal)
	}
	if e.Forced != "" {
		s += ", group killed: " + e.Forced
	}
	return s
}

// ErrLate says that the soft deadline had passed before the command could be started. It was not started.
var ErrLate = errors.New("no time is left to start the command")

// StartError says that the command could not be executed.
type StartError struct {
	Path  string
	Errno syscall.Errno
}

// Error names the command and the fault.
func (e *StartError) Error() string { return fmt.Sprintf("cannot execute %s: %v", e.Path, e.Errno) }

// Unwrap returns the error number, so that errors.Is finds fs.ErrNotExist and fs.ErrPermission.
func (e *StartError) Unwrap() error { return e.Errno }

// Status returns the exit code a shell would report: 127 if there is no such command, 126 if it cannot be executed.
func (e *StartError) Status() int {
	if e.Errno == syscall.ENOENT {
		return 127
	}
	return 126
}

// order is what tenure tells the guardian, one JSON object a line.
type order struct {
	Do       string         `json:"do"`
	Command  *wireCommand   `json:"command,omitempty"`
	Deadline Deadline       `json:"deadline,omitzero"`
	Signal   syscall.Signal `json:"signal,omitempty"`
	Grace    time.Duration  `json:"grace,omitempty"`
}

const (
	doStart  = "start"  // run Command until Deadline
	doExtend = "extend" // the deadline has moved; confirmed with isExtended
	doSignal = "signal" // pass Signal on to the group
	doStop   = "stop"   // ask the group to end, and kill it after Grace
	doKill   = "kill"   // kill the group now
)

// report is what the guardian tells tenure, one JSON object a line.
type report struct {
	Is       string         `json:"is"`
	PID      int            `json:"pid,omitempty"`
	Errno    syscall.Errno  `json:"errno,omitempty"`
	Deadline Deadline       `json:"deadline,omitzero"`
	Exit     Exit           `json:"exit,omitzero"`
	Signal   syscall.Signal `json:"signal,omitempty"`
}

const (
	isStarted  = "started"  // the command runs as PID, which is also its process group
	isRefused  = "refused"  // the command could not be executed: Errno
	isExtended = "extended" // Deadline is what counts now
	isStopped  = "stopped"  // the command was stopped by Signal (job control) and has not ended
	isExited   = "exited"   // the command ended; what it started may still run
	isGone     = "gone"     // nothing is left; Exit says how it ended
)

// Descriptors of the two pipes in the guardian.
const (
	ordersFD  = 3
	reportsFD = 4
)
