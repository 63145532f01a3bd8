//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"os"
	"syscall"
)

const (
	// A rename is atomic for readers.
	lockToRead = false
	// Neither follow a symbolic link nor wait for the other end of a pipe.
	openSafely = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
)

// lockFile takes the advisory lock on f, or reports false if another has it.
func lockFile(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return true, nil
		case syscall.EWOULDBLOCK:
			return false, nil
		case syscall.EINTR:
		default:
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

func unlockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// syncDir makes a rename in the directory at path survive a crash of the host.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func notDir(err error) bool   { return errors.Is(err, syscall.ENOTDIR) }
func symbolic(err error) bool { return errors.Is(err, syscall.ELOOP) }
func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func noLocks(err error) bool {
	return errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS)
}
