package file

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Between two attempts at a lock that another has. A write takes a millisecond or a few.
const (
	firstPause = 200 * time.Microsecond
	maxPause   = 5 * time.Millisecond
)

// lock waits until no other process is writing the record of key, and returns what ends that. It tries again and again
// rather than block, because a blocked flock cannot be called off.
func (d *dir) lock(ctx context.Context, key string) (unlock func(), err error) {
	path := d.file(key, ".lock")
	deadline := time.Now().Add(d.wait)
	pause := firstPause
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := tryLock(path)
		if err != nil {
			return nil, d.explain(err)
		}
		if f != nil {
			return func() { release(f) }, nil
		}
		now := time.Now()
		if now.After(deadline) {
			return nil, d.stuck(path, fmt.Errorf("waited %v", d.wait))
		}
		timer := time.NewTimer(min(pause/2+rand.N(pause), deadline.Sub(now)+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, d.stuck(path, ctx.Err())
		}
		pause = min(2*pause, maxPause)
	}
}

// tryLock opens and locks the file at path. It returns nil without an error if another has it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openSafely, 0o600)
	if err != nil {
		return nil, err
	}
	ok, err := lockFile(f)
	if ok && err == nil {
		// Is this still the file that others will lock? Somebody may have cleaned up in between.
		var mine, there os.FileInfo
		if mine, err = f.Stat(); err == nil {
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		if os.IsNotExist(err) {
			err = nil
		}
	}
	release(f)
	return nil, err
}

func release(f *os.File) {
	_ = unlockFile(f) // before Close, in case a child that is just being started has the file too
	_ = f.Close()
}

// stuck says who has the lock, as far as the system can tell.
func (d *dir) stuck(path string, err error) error {
	pid, state := lockHolder(path)
	switch {
	case pid == 0:
		return fmt.Errorf("another process is busy with %s: %w", path, err)
	case state == "T" || state == "t":
		return lease.Permanent(fmt.Errorf("process %d is stopped while it has %s locked; "+
			"continue it (kill -CONT %d) or kill it: %w", pid, path, pid, err))
	}
	return fmt.Errorf("process %d is busy with %s: %w", pid, path, err)
}
