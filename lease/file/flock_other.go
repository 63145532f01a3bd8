//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package file

import (
	"errors"
	"os"
)

const (
	lockToRead = false
	openSafely = 0
)

var errNoLocks = errors.New("this system has no flock")

// Without a lock nothing is written: a lease that two could take is worse than none.
func lockFile(*os.File) (bool, error) { return false, errNoLocks }
func unlockFile(*os.File) error       { return nil }
func syncDir(string) error            { return nil }
func notDir(error) bool               { return false }
func symbolic(error) bool             { return false }
func readOnly(error) bool             { return false }
func full(error) bool                 { return false }
func noLocks(err error) bool          { return errors.Is(err, errNoLocks) }
