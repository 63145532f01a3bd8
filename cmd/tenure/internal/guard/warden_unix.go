//go:build unix

package guard

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

// While a group does not go away the guardian looks, and kills, again: after a moment first, and then ever more
// rarely, because what cannot be killed, such as a process of another user, will not go sooner for being asked more
// often.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// Main is the guardian: what the command does when it was started as one. It returns its exit code, after the group
// is gone.
func Main() int {
	if !isPipe(ordersFD) || !isPipe(reportsFD) {
		fmt.Fprintln(os.Stderr, "tenure guard: this is started by `tenure run` and by nothing else; run that")
		return 64
	}
	// The command's parent-death signal is sent when the thread that forked it ends: stay on one thread.
	runtime.LockOSThread()
	syscall.CloseOnExec(ordersFD)
	syscall.CloseOnExec(reportsFD)
	adopt()
	// Deaf to all that a terminal or a supervisor sends to everybody: tenure decides, and the pipe tells. The signals
	// are caught and not ignored, because an ignored signal would stay ignored in the command.
	deaf := make(chan os.Signal, 1)
	for _, s := range append(forwarded(), syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGPIPE) {
		if !signal.Ignored(s) { // What was ignored from the start, under nohup say, is to stay so in the command.
			signal.Notify(deaf, s)
		}
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)

	alarm, err := hostclock.NewAlarm()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tenure guard:", err)
		return 71
	}
	w := warden{out: json.NewEncoder(os.NewFile(reportsFD, "reports")), alarm: alarm}
	orders := make(chan order)
	go listen(orders)
	return w.watch(orders, died, deaf)
}

func isPipe(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// listen passes orders on until the pipe closes or carries something that is no order: both mean that tenure is no
// more.
func listen(orders chan<- order) {
	defer close(orders)
	in := json.NewDecoder(os.NewFile(ordersFD, "orders"))
	for {
		var o order
		if in.Decode(&o) != nil {
			return
		}
		orders <- o
	}
}

// warden is the guardian's state.
type warden struct {
	out      *json.Encoder
	alarm    *hostclock.Alarm
	group    int // also the command's process ID; zero before it was started
	grace    time.Duration
	deadline Deadline
	asked    bool              // the group has been asked to end
	kill     hostclock.Instant // when to kill it after it was asked; zero: at the hard deadline
	killing  bool
	pause    time.Duration // the latest between two looks
	exited   bool          // the command itself has ended
	alone    bool          // no child is left, neither the command nor one that was adopted
	exit     Exit
}

func (w *warden) watch(orders <-chan order, died, deaf <-chan os.Signal) int {
	for {
		select {
		case o, open := <-orders:
			if !open {
				orders = nil
				if w.group == 0 {
					return 0
				}
				w.force("tenure is gone")
				break
			}
			if !w.obey(o) {
				return 0
			}
		case <-died:
		case <-deaf:
			continue
		case <-w.alarm.C:
		}
		if w.group == 0 {
			continue
		}
		if w.look() {
			w.tell(report{Is: isGone, Exit: w.exit})
			return 0
		}
		w.alarm.Set(w.next())
	}
}

// obey does what tenure asks. It reports false if there is nothing to guard because the command could not be started.
func (w *warden) obey(o order) bool {
	if w.group == 0 { // Nothing must be sent to group 0: that is our own.
		return o.Do != doKill && (o.Do != doStart || w.start(o))
	}
	switch o.Do {
	case doExtend:
		w.deadline = o.Deadline
		w.tell(report{Is: isExtended, Deadline: o.Deadline})
	case doSignal:
		w.send(o.Signal)
	case doStop:
		w.ask(o.Grace)
	case doKill:
		w.force("asked to")
	}
	return true
}

func (w *warden) start(o order) bool {
	if o.Command == nil {
		return false
	}
	if o.Deadline.Soft.Passed() {
		w.tell(report{Is: isRefused, Errno: syscall.ETIMEDOUT})
		return false
	}
	c := o.Command.command()
	pid, err := syscall.ForkExec(c.Path, c.Args, &syscall.ProcAttr{
		Env: c.Env, Files: []uintptr{0, 1, 2}, Sys: ownGroup(),
	})
	if err != nil {
		errno, _ := err.(syscall.Errno)
		w.tell(report{Is: isRefused, Errno: errno})
		return false
	}
	w.group, w.deadline, w.grace = pid, o.Deadline, c.Grace
	w.tell(report{Is: isStarted, PID: pid, Deadline: o.Deadline})
	return true
}

// look reaps the dead, acts on deadlines that have passed, and reports whether nothing is left.
func (w *warden) look() bool {
	w.reap()
	if w.exited && w.alone && syscall.Kill(-w.group, 0) == syscall.ESRCH {
		return true
	}
	switch {
	case w.deadline.Hard.Passed():
		w.force("the lease ends")
	case w.kill != 0 && w.kill.Passed():
		w.force("it did not end within the grace")
	case w.killing:
		w.send(syscall.SIGKILL)
	case w.exited && !w.asked:
		w.ask(w.grace)
	case w.deadline.Soft.Passed() && !w.asked:
		w.ask(w.deadline.Hard.Sub(hostclock.Now()))
	}
	return false
}

// next is when to look again without being told.
func (w *warden) next() hostclock.Instant {
	var look hostclock.Instant
	if w.killing || w.exited {
		w.pause = min(max(w.pause*5/4, firstPause), lastPause)
		look = hostclock.Now().Add(w.pause)
	}
	switch {
	case w.killing:
		return look
	case w.asked:
		return hostclock.Earliest(look, w.deadline.Hard, w.kill)
	default:
		return hostclock.Earliest(look, w.deadline.Soft, w.deadline.Hard)
	}
}

// ask asks the group to end, once, and lets a stopped one hear it; a later call may only shorten the grace.
func (w *warden) ask(grace time.Duration) {
	w.kill = hostclock.Earliest(w.kill, hostclock.Now().Add(grace))
	if !w.asked {
		w.asked = true
		w.send(syscall.SIGTERM)
		w.send(syscall.SIGCONT)
	}
}

func (w *warden) force(why string) {
	if !w.killing {
		w.killing, w.exit.Forced = true, why
	}
	w.send(syscall.SIGKILL)
}

// send sends s to the group, and to what has left the group and lost its parent.
func (w *warden) send(s syscall.Signal) {
	syscall.Kill(-w.group, s)
	for _, pid := range strays(w.group) {
		syscall.Kill(pid, s)
	}
}

// reap collects all children that have died: the command, and what the guardian has adopted.
func (w *warden) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG|syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		w.alone = err == syscall.ECHILD
		if pid <= 0 {
			return
		}
		if pid != w.group {
			continue
		}
		if status.Stopped() {
			w.tell(report{Is: isStopped, Signal: status.StopSignal()})
			continue
		}
		w.exited = true
		if status.Signaled() {
			w.exit.Signal = status.Signal()
		} else {
			w.exit.Code = status.ExitStatus()
		}
		w.tell(report{Is: isExited, Exit: w.exit})
	}
}

// tell reports to tenure. If tenure cannot be reached the orders end too, and that is where it is dealt with.
func (w *warden) tell(r report) { _ = w.out.Encode(r) }
