package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNobody says that nobody listens on a socket: the tenure whose it was has ended.
var ErrNobody = errors.New("the tenure that made it has ended")

// Ask sends r to the tenure that listens on path and returns what it says. It waits for no longer than the context
// lasts. A tenure that is stopped does not answer.
func Ask(ctx context.Context, path string, r Request) (Answer, error) {
	if err := trust(path); err != nil {
		return Answer{}, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if refused(err) {
		return Answer{}, fmt.Errorf("socket %s: %w", path, ErrNobody)
	}
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return Answer{}, err
	}
	var a Answer
	if err := json.NewDecoder(io.LimitReader(conn, messageMost)).Decode(&a); err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return Answer{}, fmt.Errorf("socket %s: no answer in time; is that tenure stopped?", path)
		}
		return Answer{}, fmt.Errorf("socket %s: no usable answer: %w", path, err)
	}
	return a, nil
}

// trust returns an error unless path is a socket in a private directory of a tenure of this user.
func trust(path string) error {
	dir := filepath.Dir(path)
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || filepath.Base(path) != socketName ||
		!strings.HasPrefix(filepath.Base(dir), dirPrefix) {
		return fmt.Errorf("%q is not the path of a control socket of tenure", path)
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("socket %s: %w", path, ErrNobody)
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if !info.IsDir() || !private(info) {
		return fmt.Errorf("%s is not a private directory of this user; ask as the user who runs that tenure", dir)
	}
	return nil
}

func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
