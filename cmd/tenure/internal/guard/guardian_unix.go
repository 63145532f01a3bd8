//go:build unix

package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

// patience is how long an order may wait in a full pipe: the guardian does nothing but read it.
const patience = 250 * time.Millisecond

// Guardian is a guardian process and the command in its care. Its methods may be called from anywhere and at any
// time; when the command is gone they do nothing.
type Guardian struct {
	log     *slog.Logger
	proc    *os.Process
	spare   []int // children of this process that are not the guardian's
	todo    chan order
	started chan report
	gone    chan struct{}
	exit    Exit // valid after gone is closed

	// Of the goroutine that runs watch:
	out       *os.File
	alarm     *hostclock.Alarm
	group     int
	confirmed Deadline
	wanted    *Deadline // to be sent when the one on its way is confirmed
	onWay     bool
	ordered   bool // the guardian was told to start the command; it may have done so even if we never heard of it
	finished  bool // the guardian said that nothing is left
}

// Prepare starts a guardian that has nothing to guard yet. It takes executable, the path of tenure itself, and hands
// the command this process's standard input, output and error. End it with Close, or by Start and waiting for Gone.
func Prepare(executable string, log *slog.Logger) (*Guardian, error) {
	adopt()
	orders, ordersOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	defer orders.Close()
	reports, reportsOut, err := os.Pipe()
	if err != nil {
		ordersOut.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	defer reportsOut.Close()
	alarm, err := hostclock.NewAlarm()
	if err != nil {
		ordersOut.Close()
		reports.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	g := &Guardian{
		log: log, spare: pids(), out: ordersOut, alarm: alarm,
		todo: make(chan order), started: make(chan report, 1), gone: make(chan struct{}),
	}
	g.proc, err = os.StartProcess(executable, []string{"tenure", "guard"}, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, orders, reportsOut},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		ordersOut.Close()
		reports.Close()
		alarm.Close()
		return nil, fmt.Errorf("guard: start the guardian: %w", err)
	}
	heard := make(chan report)
	go g.hear(reports, heard)
	go g.watch(heard)
	return g, nil
}

// Start runs the command until the deadline and returns its process ID, which is also that of its group. The error
// is a *[StartError] if the command cannot be executed, and [ErrLate] if the soft deadline has passed. Call it once.
func (g *Guardian) Start(c Command, d Deadline) (int, error) {
	g.order(order{Do: doStart, Command: c.wire(), Deadline: d})
	select {
	case r := <-g.started:
		return g.verdict(c, r)
	case <-g.gone:
	}
	select {
	case r := <-g.started: // The command was started and is gone already.
		return g.verdict(c, r)
	default:
		return 0, errors.New("guard: the guardian ended before it started the command")
	}
}

func (g *Guardian) verdict(c Command, r report) (int, error) {
	switch {
	case r.Is == isStarted:
		return r.PID, nil
	case r.Errno == syscall.ETIMEDOUT:
		return 0, ErrLate
	default:
		return 0, &StartError{Path: c.Path, Errno: r.Errno}
	}
}

// Extend moves the deadline. It counts once the guardian has confirmed it.
func (g *Guardian) Extend(d Deadline) { g.order(order{Do: doExtend, Deadline: d}) }

// Signal passes a signal on to the command's group.
func (g *Guardian) Signal(s syscall.Signal) { g.order(order{Do: doSignal, Signal: s}) }

// Stop asks the command's group to end. It is killed after the grace, and never later than at the hard deadline.
// A second call may shorten the grace.
func (g *Guardian) Stop(grace time.Duration) { g.order(order{Do: doStop, Grace: grace}) }

// Kill kills the command's group now.
func (g *Guardian) Kill() { g.order(order{Do: doKill}) }

// PID returns the guardian's process ID.
func (g *Guardian) PID() int { return g.proc.Pid }

// Gone is closed when nothing of the command is left, and the guardian has ended.
func (g *Guardian) Gone() <-chan struct{} { return g.gone }

// Exit says how the command ended. Call it after Gone is closed.
func (g *Guardian) Exit() Exit { return g.exit }

// Close ends a guardian, kills what it guards, and returns when both are gone or the context ends.
func (g *Guardian) Close(ctx context.Context) error {
	g.order(order{})
	select {
	case <-g.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *Guardian) order(o order) {
	select {
	case g.todo <- o:
	case <-g.gone:
	}
}

// hear passes the guardian's reports on until it has ended and has been reaped.
func (g *Guardian) hear(in *os.File, heard chan<- report) {
	defer close(heard)
	defer g.proc.Wait()
	defer in.Close()
	d := json.NewDecoder(in)
	for {
		var r report
		if d.Decode(&r) != nil {
			return
		}
		heard <- r
	}
}

// watch is the goroutine that owns the guardian.
func (g *Guardian) watch(heard <-chan report) {
	defer close(g.gone)
	defer g.alarm.Close()
	defer g.out.Close()
	for {
		select {
		case o := <-g.todo:
			g.pass(o)
		case r, open := <-heard:
			if !open {
				g.bury()
				return
			}
			g.note(r)
		case <-g.alarm.C:
			if !g.finished && g.confirmed.Hard.Add(Allowance).Passed() {
				// The guardian is stopped or stuck. Its end kills the command, and bury kills the rest.
				g.log.Error("guardian did not act on the deadline, killing it", "guardian", g.proc.Pid, "group", g.group)
				g.proc.Kill()
			}
		}
	}
}

// pass sends an order, deadlines one at a time so that a guardian that has stopped reading cannot fill the pipe.
func (g *Guardian) pass(o order) {
	switch o.Do {
	case "":
		g.out.Close()
		return
	case doStart:
		g.ordered, g.confirmed = true, o.Deadline
		g.alarm.Set(g.confirmed.Hard.Add(Allowance))
	case doExtend:
		if g.onWay {
			g.wanted = &o.Deadline
			return
		}
		g.onWay = true
	}
	text, err := json.Marshal(o)
	if err == nil {
		g.out.SetWriteDeadline(time.Now().Add(patience))
		_, err = g.out.Write(append(text, '\n'))
	}
	if err != nil && !g.finished && !errors.Is(err, os.ErrClosed) {
		g.log.Error("guardian does not take orders, killing it", "guardian", g.proc.Pid, "error", err)
		g.proc.Kill()
	}
}

// note takes in what the guardian reports.
func (g *Guardian) note(r report) {
	switch r.Is {
	case isStarted:
		g.group, g.onWay = r.PID, false
		g.started <- r
	case isRefused:
		g.finished = true
		g.alarm.Set(0)
		g.started <- r
	case isExtended:
		g.confirmed, g.onWay = r.Deadline, false
		g.alarm.Set(g.confirmed.Hard.Add(Allowance))
		if d := g.wanted; d != nil {
			g.wanted = nil
			g.pass(order{Do: doExtend, Deadline: *d})
		}
	case isStopped:
		g.log.Warn("command was stopped by job control", "signal", r.Signal.String(),
			"remedy", "a command that uses the terminal needs --tty; continue it with SIGCONT")
	case isExited:
		g.exit = r.Exit
	case isGone:
		g.exit, g.finished = r.Exit, true
		g.alarm.Set(0)
	}
}

// bury makes sure that nothing is left when the guardian has ended, even if that was not by itself.
func (g *Guardian) bury() {
	if g.finished || !g.ordered {
		return
	}
	if g.exit == (Exit{}) {
		g.exit.Signal = syscall.SIGKILL
	}
	g.exit.Forced = "the guardian died"
	for !sweep(g.group, g.spare) {
		time.Sleep(time.Millisecond)
	}
}
