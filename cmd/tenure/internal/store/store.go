// Package store turns what people write after --store into a lease manager.
package store

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/file"
)

// Help lists the stores that Open knows.
const Help = "file:DIR, a directory that all processes of one host share"

// ErrURL marks errors of Open that are about what was written, not about the store.
var ErrURL = errors.New("store address")

// Store is an open store.
type Store interface {
	lease.Manager
	lease.Reader
	lease.Watcher
}

// Open opens the store that address names. Errors about the address are [ErrURL]; all others mean that the store
// cannot be used. An address may hold a password, so no error quotes more of it than its scheme, except for files.
func Open(address string) (Store, error) {
	scheme, rest, ok := strings.Cut(address, ":")
	switch {
	case !ok:
		return nil, fault("%q has no scheme; for a directory write file:%s", redact(address), redact(address))
	case scheme == "file":
		dir, err := directory(rest)
		if err != nil {
			return nil, err
		}
		m, err := file.New(file.Config{Dir: dir})
		if err != nil {
			return nil, err // and not a nil *Manager that is not a nil Store
		}
		return m, nil
	case scheme == "memory":
		return nil, fault("memory: reaches no other process, so everybody would lead; use %s", Help)
	default:
		return nil, fault("the scheme %q is unknown; known: %s", scheme, Help)
	}
}

func fault(format string, args ...any) error {
	return &addressError{fmt.Sprintf(format, args...)}
}

type addressError struct{ text string }

func (e *addressError) Error() string        { return "store: " + e.text }
func (e *addressError) Is(target error) bool { return target == ErrURL }

// redact leaves out what may be a secret.
func redact(address string) string {
	if strings.ContainsAny(address, "@?") {
		return "..."
	}
	return address
}

// directory returns the directory in file:DIR, file:/DIR and file:///DIR.
func directory(rest string) (string, error) {
	if path, ok := strings.CutPrefix(rest, "//"); ok {
		u, err := url.Parse("file://" + path)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			return "", fault("file:%s is not a directory of this host; write file:DIR or file:///DIR", rest)
		}
		rest = u.Path
	}
	if rest == "" {
		return "", fault("file: names no directory; write file:DIR")
	}
	dir, err := filepath.Abs(rest)
	if err != nil {
		return "", fault("file:%s: %v; give the full path", rest, err)
	}
	return dir, nil
}
