package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// dir is a directory as a register: a record is a file, its version a hash of what is in it.
type dir struct {
	path  string
	wait  time.Duration
	sync  bool // false only to measure what syncing costs
	watch watch
}

var _ register.Notifier = (*dir)(nil)

func (d *dir) file(key, ending string) string { return filepath.Join(d.path, name(key)+ending) }

// Load reads the record. It takes no lock where a rename is atomic for readers.
func (d *dir) Load(ctx context.Context, key string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if lockToRead {
		unlock, err := d.lock(ctx, key)
		if err != nil {
			return nil, "", err
		}
		defer unlock()
	}
	value, err := d.read(key)
	if err != nil {
		return nil, "", d.explain(err)
	}
	return value, version(value), nil
}

// Store replaces the record under the lock, if it still is what it is expected to be.
func (d *dir) Store(ctx context.Context, key string, value []byte, expected string) (string, error) {
	unlock, err := d.lock(ctx, key)
	if err != nil {
		return "", err
	}
	defer unlock()
	present, err := d.read(key)
	if err != nil {
		return "", d.explain(err)
	}
	if version(present) != expected {
		return "", register.ErrConflict
	}
	if err := d.replace(key, value); err != nil {
		return "", d.explain(err)
	}
	return version(value), nil
}

// Notify is as [register.Notifier] says.
func (d *dir) Notify(key string, changed func()) (func(), error) {
	return d.watch.add(name(key)+".json", changed), nil
}

// version names a content; no file at all is the version "". No two records that are written are equal.
func version(value []byte) string {
	if value == nil {
		return ""
	}
	sum := sha256.Sum256(value)
	return string(sum[:])
}

// errForeign is what is found where a record should be.
var errForeign = errors.New("is not a regular file; move it away")

// read returns what is in the record's file, but no more than a record can have; nil if there is no such file.
func (d *dir) read(key string) ([]byte, error) {
	path := d.file(key, ".json")
	f, err := os.OpenFile(path, os.O_RDONLY|openSafely, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, d.present() // is it the file that is missing, or all of them?
	}
	if symbolic(err) {
		return nil, fmt.Errorf("%s %w", path, errForeign)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %w", path, errForeign)
	}
	value := make([]byte, 0, min(info.Size(), register.MaxSize)+1)
	for len(value) <= register.MaxSize {
		if len(value) == cap(value) {
			value = append(value, 0)[:len(value)]
		}
		n, err := f.Read(value[len(value):cap(value)])
		value = value[:len(value)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return value, nil
}

// replace puts value in the record's place, in one step that survives a crash. The lock must be held.
func (d *dir) replace(key string, value []byte) (err error) {
	path, tmp := d.file(key, ".json"), d.file(key, ".tmp")
	// Somebody who was killed may have left one. The lock is ours, so nobody is writing it.
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil && d.sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp) // the next writer removes it otherwise
		return err
	}
	if d.sync {
		return syncDir(d.path)
	}
	return nil
}

// check finds out whether leases can be kept here, by doing what keeping them does. Several processes may do so at
// once.
func (d *dir) check() error {
	if err := d.present(); err != nil {
		return d.explain(err)
	}
	probe := filepath.Join(d.path, "probe.tmp")
	if err := os.Remove(probe); errors.Is(err, fs.ErrPermission) || err != nil && readOnly(err) {
		return d.explain(err)
	}
	f, err := os.OpenFile(probe, os.O_WRONLY|os.O_CREATE|openSafely, 0o600)
	if err != nil {
		return d.explain(err)
	}
	err = f.Close()
	_ = os.Remove(probe) // or somebody else does
	return d.explain(err)
}

// present returns an error unless the directory is there.
func (d *dir) present() error {
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errNotDir
	}
	return nil
}

var errNotDir = errors.New("not a directory")

// explain says what to do about err, and marks it if doing it is up to people. Nil stays nil.
func (d *dir) explain(err error) error {
	remedy, lasting := "", true
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errForeign):
		return lease.Permanent(err)
	case errors.Is(err, errNotDir), notDir(err):
		remedy = "is not a directory; move that file away or name another directory"
	case errors.Is(err, fs.ErrNotExist):
		remedy = "does not exist; create it, private to the user who runs this"
	case readOnly(err):
		remedy = "is on a read-only file system; name a directory that can be written"
	case errors.Is(err, fs.ErrPermission):
		remedy = "cannot be written by this user; run as its owner, or name another directory"
	case full(err):
		remedy, lasting = "has no room for another record; free some space (the present record is untouched)", false
	case noLocks(err):
		remedy = "is on a file system without file locks; name a local directory"
	default:
		return err
	}
	err = fmt.Errorf("the lease directory %s %s: %w", d.path, remedy, err)
	if lasting {
		return lease.Permanent(err)
	}
	return err
}
