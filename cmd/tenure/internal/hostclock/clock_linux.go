package hostclock

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	clockBoottime = 7       // CLOCK_BOOTTIME
	absolute      = 1       // TFD_TIMER_ABSTIME
	descriptor    = 0x80800 // TFD_CLOEXEC | TFD_NONBLOCK
)

// Now returns the present instant.
func Now() Instant {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		panic("hostclock: the kernel has no CLOCK_BOOTTIME: " + errno.Error()) // Linux has it since 2.6.39.
	}
	return Instant(ts.Nano())
}

// Alarm rings at an instant, also when the host slept through it: then as soon as it wakes. It is a timer of the
// kernel, because timers of the Go runtime stand still during suspend. Use it from one goroutine.
type Alarm struct {
	// C receives when the alarm has rung. It may receive once too often: look at the clock.
	C    <-chan struct{}
	file *os.File
	fd   uintptr
	done chan struct{}
}

// NewAlarm returns an alarm that is not set. Close it after use.
func NewAlarm() (*Alarm, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockBoottime, descriptor, 0)
	if errno != 0 {
		return nil, fmt.Errorf("hostclock: create a timer: %w", errno)
	}
	c := make(chan struct{}, 1)
	a := &Alarm{C: c, file: os.NewFile(fd, "timerfd"), fd: fd, done: make(chan struct{})}
	go a.listen(c)
	return a, nil
}

// Set makes the alarm ring at i, at once if i has passed, and no more at what was set before. Zero unsets it.
func (a *Alarm) Set(i Instant) {
	var spec struct{ interval, value syscall.Timespec }
	if i != 0 {
		spec.value = syscall.NsecToTimespec(max(int64(i), 1))
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, a.fd, absolute, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		panic("hostclock: set a timer: " + errno.Error()) // Only a closed alarm or a bad argument can cause it.
	}
}

// Close frees the alarm. It does not ring any more.
func (a *Alarm) Close() {
	a.file.Close()
	<-a.done
}

func (a *Alarm) listen(c chan<- struct{}) {
	defer close(a.done)
	var rings [8]byte
	for {
		if _, err := a.file.Read(rings[:]); err != nil {
			return
		}
		if binary.NativeEndian.Uint64(rings[:]) == 0 {
			continue
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
