package file

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// What to be told of: records renamed into place or removed, and the end of the directory itself. Nothing else
// happens to records unless people edit them in place, which polling sees.
const inotifyMask = syscall.IN_MOVED_TO | syscall.IN_DELETE | syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF |
	syscall.IN_ONLYDIR

// inotify is the source on Linux.
type inotify struct {
	dir   string
	fd    int
	f     *os.File // the same, for reads with a deadline
	woken atomic.Bool
	buf   [16 << 10]byte
}

// newSource returns inotify, or a mere timer if the system has no more of it to give.
func newSource(dir string) source {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return newTimed()
	}
	s := &inotify{dir: dir, fd: fd, f: os.NewFile(uintptr(fd), "inotify")}
	if s.arm() != nil || s.f.SetReadDeadline(time.Time{}) != nil {
		s.close()
		return newTimed()
	}
	return s
}

// arm asks to be told of the directory that is at this path now. It changes nothing if that is the one already
// watched.
func (s *inotify) arm() error {
	_, err := syscall.InotifyAddWatch(s.fd, s.dir, inotifyMask)
	return err
}

func (s *inotify) wait(most time.Duration) ([]string, bool) {
	_ = s.f.SetReadDeadline(time.Now().Add(most)) // cannot fail: newSource has tried
	if s.woken.Swap(false) {                      // a later wake moves the deadline, so none is missed
		return nil, false
	}
	n, err := s.f.Read(s.buf[:])
	if err != nil {
		_ = s.arm() // the directory may have been replaced; if it is missing, the calls say so
		return nil, false
	}
	return events(s.buf[:n])
}

// events returns the names in a batch of events, or all if the system lost some of them or the directory is gone.
func events(batch []byte) (names []string, all bool) {
	for len(batch) >= syscall.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(batch[4:])
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(batch[12:]))
		if mask&(syscall.IN_Q_OVERFLOW|syscall.IN_DELETE_SELF|syscall.IN_MOVE_SELF|syscall.IN_IGNORED) != 0 {
			all = true
		}
		if end > len(batch) {
			return nil, true
		}
		if name, _, _ := bytes.Cut(batch[syscall.SizeofInotifyEvent:end], []byte{0}); len(name) > 0 {
			names = append(names, string(name))
		}
		batch = batch[end:]
	}
	return names, all
}

func (s *inotify) wake() {
	s.woken.Store(true)
	_ = s.f.SetReadDeadline(time.Unix(1, 0))
}

func (s *inotify) prompt() bool { return true }
func (s *inotify) close()       { _ = s.f.Close() }
