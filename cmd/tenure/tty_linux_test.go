package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// onTerminal starts a tenure as a shell would, as the foreground of a terminal of its own, and returns the far end of
// that terminal.
func onTerminal(t *testing.T, p *proc) (*proc, *os.File) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	raw, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number, unlocked int32
	err = raw.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked)))
	})
	if err != nil {
		t.Fatal(err)
	}
	near, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	p.cmd.Stdin = near
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	return p.start(t), far
}

func typed(t *testing.T, far *os.File, s string) {
	t.Helper()
	if _, err := far.WriteString(s); err != nil {
		t.Fatal(err)
	}
}

const ctrlC = "\x03"

func TestACommandWithTheTerminalReadsIt(t *testing.T) {
	_, address := newStore(t)
	p, far := onTerminal(t, tenure(t, "run", "--store", address, "--tty", "--once", "k", "--",
		"sh", "-c", "echo ask; read answer; echo got $answer"))
	eventually(t, "the command asks", func() bool { return strings.Contains(p.out.String(), "ask") })
	typed(t, far, "yes\n")
	if status := p.status(t); status != 0 || p.out.String() != "ask\ngot yes\n" {
		t.Errorf("exit code is %d, output %q", status, p.out)
	}
}

func TestCtrlCReachesTheCommandWithTheTerminalAndEndsTenure(t *testing.T) {
	_, address := newStore(t)
	p, far := onTerminal(t, tenure(t, "run", "--store", address, "--tty", "k", "--", "sh", "-c",
		"echo up; exec sleep 100"))
	eventually(t, "the terminal is the command's", func() bool {
		return foregroundOf(t,
			far) != p.cmd.Process.Pid
	})
	eventually(t, "the command runs", func() bool { return strings.Contains(p.out.String(), "up") })
	typed(t, far, ctrlC)
	if status := p.status(t); status != 0 {
		t.Errorf("exit code is %d, want 0", status)
	}
	if !strings.Contains(p.err.String(), "signal 2") {
		t.Errorf("the command did not end by the signal: %s", p.err)
	}
}

func TestTenureTakesTheTerminalBack(t *testing.T) {
	_, address := newStore(t)
	p, far := onTerminal(t, tenure(t, "run", "--store", address, "--tty", "--ttl", "30s", "k", "--", "sh", "-c",
		"read line"))
	eventually(t, "the terminal is the command's", func() bool {
		return foregroundOf(t,
			far) != p.cmd.Process.Pid
	})
	typed(t, far, "\n")
	eventually(t, "the terminal is tenure's", func() bool {
		return foregroundOf(t,
			far) == p.cmd.Process.Pid
	})
	typed(t, far, ctrlC)
	if status := p.status(t); status != 0 {
		t.Errorf("exit code is %d, want 0", status)
	}
}

func foregroundOf(t *testing.T, far *os.File) int {
	t.Helper()
	raw, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var group int32
	raw.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	})
	return int(group)
}

func TestCtrlCReachesTenureOtherwise(t *testing.T) {
	_, address := newStore(t)
	p, far := onTerminal(t, tenure(t, "run", "--store", address, "k", "--",
		"sh", "-c", "trap 'echo asked; exit' TERM; trap 'echo interrupted' INT; echo up; while :; do sleep 0.01; done"))
	eventually(t, "the command runs", func() bool { return strings.Contains(p.out.String(), "up") })
	typed(t, far, ctrlC)
	if status := p.status(t); status != 0 || p.out.String() != "up\nasked\n" {
		t.Errorf("exit code is %d, output %q", status, p.out)
	}
}

func TestACommandThatWantsTheTerminalIsNamedInTheLog(t *testing.T) {
	_, address := newStore(t)
	p, _ := onTerminal(t, tenure(t, "run", "--store", address, "k", "--", "sh", "-c", "read line"))
	eventually(t, "the log has the remedy", func() bool {
		return strings.Contains(p.err.String(),
			"--tty")
	})
	p.signal(t, syscall.SIGTERM)
	if status := p.status(t); status != 0 {
		t.Errorf("exit code is %d, want 0: a stopped command must hear that it is asked", status)
	}
}
