//go:build unix

package file

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestSomethingElseInTheRecordsPlaceIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link":      func(path string) error { return os.Symlink("/etc/hostname", path) },
		"a loop":      func(path string) error { return os.Symlink(path, path) },
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, t.TempDir())
			if err := put(where(m)); err != nil {
				t.Fatal(err)
			}
			_, err := m.Acquire(t.Context(), key, alice, ttl)
			helpful(t, err, true, where(m), "is not a regular file; move it away")
		})
	}
}

func TestADirectoryThatIsMissingIsCreatedOnRequestAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	for range 2 { // the second finds it there
		m, err := New(Config{Dir: path, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		acquire(t, m, alice)
	}
	for file, mode := range map[string]os.FileMode{
		"": 0o700 | os.ModeDir, "k-billing.json": 0o600, "k-billing.lock": 0o600,
	} {
		info, err := os.Stat(filepath.Join(path, file))
		if err != nil || info.Mode() != mode {
			t.Errorf("%q: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestFaultsOfTheFileSystemSayWhatToDo(t *testing.T) {
	d := &dir{path: "/leases"}
	for err, want := range map[error]struct {
		permanent bool
		part      string
	}{
		syscall.EROFS:  {true, "is on a read-only file system"},
		syscall.EACCES: {true, "run as its owner"},
		syscall.EPERM:  {true, "run as its owner"},
		syscall.ENOSPC: {false, "free some space"},
		syscall.EDQUOT: {false, "free some space"},
		syscall.ENOLCK: {true, "without file locks"},
		syscall.EIO:    {false, "input/output error"},
	} {
		got := d.explain(&os.PathError{Op: "open", Path: "/leases/x", Err: err})
		helpful(t, got, want.permanent, want.part)
		if !errors.Is(got, err) {
			t.Errorf("%v no longer is %v", got, err)
		}
	}
}

func TestADirectoryThatDisappearsIsAnErrorAndNotAVacantLease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	m, err := New(Config{Dir: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	l := acquire(t, m, alice)
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	_, err = m.Read(t.Context(), key)
	helpful(t, err, true, path+" does not exist")
	_, err = m.Acquire(t.Context(), key, bob, ttl)
	helpful(t, err, true, path+" does not exist")
	helpful(t, m.Renew(t.Context(), l, ttl), true, path+" does not exist")
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), l, ttl); err != nil {
		t.Fatal(err)
	}
}

func TestManyProcessesMayOpenADirectoryAtOnceAndLeaveNothingInIt(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "probe.tmp"), nil, 0o600); err != nil { // left by one that was killed
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := New(Config{Dir: path}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
