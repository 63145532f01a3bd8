package file

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

const (
	// A file that somebody is reading cannot be replaced, so readers lock, too.
	lockToRead = true
	openSafely = 0

	lockNowExclusive   = 0x1 | 0x2 // LOCKFILE_FAIL_IMMEDIATELY, LOCKFILE_EXCLUSIVE_LOCK
	errorLockViolation = syscall.Errno(33)
	errorWriteProtect  = syscall.Errno(19)
	errorDiskFull      = syscall.Errno(112)
	errorDirectory     = syscall.Errno(267)
)

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

// lockFile locks the first byte of f, or reports false if another has it.
func lockFile(f *os.File) (bool, error) {
	var at syscall.Overlapped
	ok, _, err := lockFileEx.Call(f.Fd(), lockNowExclusive, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return true, nil
	case errors.Is(err, errorLockViolation), errors.Is(err, syscall.ERROR_IO_PENDING):
		return false, nil
	}
	return false, &os.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
}

func unlockFile(f *os.File) error {
	var at syscall.Overlapped
	if ok, _, err := unlockFileEx.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(&at))); ok == 0 {
		return err
	}
	return nil
}

// syncDir does nothing: the system has no such call, and writes changes of directories to its journal.
func syncDir(string) error { return nil }

func notDir(err error) bool   { return errors.Is(err, errorDirectory) }
func symbolic(error) bool     { return false }
func readOnly(err error) bool { return errors.Is(err, errorWriteProtect) }
func full(err error) bool     { return errors.Is(err, errorDiskFull) }
func noLocks(error) bool      { return false }
