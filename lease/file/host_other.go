//go:build !linux

package file

import "time"

func newSource(string) source { return newTimed() }

// There is no boot clock here that is known to be common to all processes.
func bootDomain(string) string { return "" }

func bootClock() (time.Duration, bool) { return 0, false }

func lockHolder(string) (int, string) { return 0, "" }
