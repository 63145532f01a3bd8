//go:build !linux

package main

import "syscall"

// dieWithParent does nothing: there is no signal for it.
func dieWithParent() *syscall.SysProcAttr { return nil }
