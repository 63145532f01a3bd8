//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// foreground gives the terminal to a process group and returns how to take it back. Without a terminal it does
// nothing.
func foreground(group int) (restore func()) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return func() {}
	}
	give := func(group int) {
		// Taking it back is done from the background, which is answered with this signal unless it is ignored.
		signal.Ignore(syscall.SIGTTOU)
		defer signal.Reset(syscall.SIGTTOU)
		g := int32(group)
		syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&g)))
	}
	give(group)
	syscall.Kill(-group, syscall.SIGCONT) // It may have asked for the terminal already, and been stopped for it.
	return func() {
		give(syscall.Getpgrp())
		tty.Close()
	}
}
