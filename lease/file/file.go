package file

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/internal/bootclock"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// Config says where the leases are. Only Dir must be set.
type Config struct {
	// Dir is the directory. A relative one is taken from where the process stands when New is called.
	Dir string
	// Create makes Dir, private to the user (0700), if it is missing and its parent is there. Without it, Dir must
	// exist.
	Create bool
	// Wait is how long a call waits for another process to finish its write of the same key, if its context lets it
	// wait so long. Zero means 5 s.
	Wait time.Duration
	// Poll is how often watched keys are read where the system cannot tell of changes. Zero means 100 ms. Where it
	// can (inotify on Linux), they are still read once in ten times Poll.
	Poll time.Duration
	// Drift is as in [register.Config]; zero means 0.01. It matters only where the boot clock is not common.
	Drift float64
	// Clock is as in [register.Config]. Nil means the real clock. The boot clock is used only beside the real clock.
	Clock clock.Clock
}

const (
	defaultWait = 5 * time.Second
	defaultPoll = 100 * time.Millisecond
	// A renewal is a few synced writes, tens of milliseconds on a slow disk.
	minTTL = 50 * time.Millisecond
)

// Manager is the leases of one directory. It is a [lease.Manager], [lease.Watcher], [lease.Reader] and
// [lease.Limiter], safe for concurrent use, and needs no closing: it has a goroutine only while something is watched,
// and no file open between two calls but for that.
//
// Its calls are short and synchronous; the wait for another process ends with the context, while a disk that hangs can
// hold a call up for longer.
type Manager struct {
	*register.Watcher
	dir *dir
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Watcher = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns the Manager of c.Dir. It checks that the directory is there and that this process may write in it, and
// says what to do if not; such an error is [lease.ErrPermanent].
func New(c Config) (*Manager, error) {
	switch {
	case c.Dir == "":
		return nil, lease.Permanent(errors.New("file: Config.Dir is empty; name the directory to keep the leases in"))
	case c.Wait < 0 || c.Poll < 0:
		return nil, lease.Permanent(fmt.Errorf("file: Config.Wait %v or Config.Poll %v is negative", c.Wait, c.Poll))
	}
	path, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	d := newDir(c, path)
	if c.Create {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, d.explain(err)
		}
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	domain := bootclock.Domain(path)
	if c.Clock != nil {
		domain = ""
	}
	return newManager(c, d, domain)
}

func newDir(c Config, path string) *dir {
	return &dir{
		path: path, wait: cmp.Or(c.Wait, defaultWait), sync: true,
		watch: watch{dir: path, poll: cmp.Or(c.Poll, defaultPoll), source: newSource},
	}
}

func newManager(c Config, d *dir, domain string) (*Manager, error) {
	rc := register.Config{
		Register: d, Clock: c.Clock, Drift: c.Drift, Limits: lease.Limits{MinTTL: minTTL},
		Where: func(key string) string { return d.file(key, ".json") },
	}
	if domain != "" {
		rc.Shared = func() (string, time.Duration) {
			now, ok := bootclock.Now()
			if !ok {
				return "", 0
			}
			return domain, now
		}
	}
	w, err := register.NewWatcher(rc)
	if err != nil {
		return nil, lease.Permanent(err)
	}
	return &Manager{Watcher: w, dir: d}, nil
}
