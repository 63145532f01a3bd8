//go:build !unix

package main

// foreground does nothing: there are no process groups to give a terminal to.
func foreground(int) (restore func()) { return func() {} }
