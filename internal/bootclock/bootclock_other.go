//go:build !linux

package bootclock

import "time"

// Domain returns "": there is no boot clock here that is known to be common to all processes.
func Domain(string) string { return "" }

// Now reports false: there is no such clock here.
func Now() (time.Duration, bool) { return 0, false }
