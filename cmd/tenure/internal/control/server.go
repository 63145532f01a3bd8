package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Server listens on a private socket.
type Server struct {
	dir      string
	listener net.Listener
}

// Listen makes a private directory with a socket in it, below the user's runtime directory if there is one and else
// below the directory for temporary files.
func Listen() (*Server, error) {
	var faults []error
	for _, base := range bases() {
		sweep(base)
		dir, err := os.MkdirTemp(base, dirPrefix) // with mode 0700
		if err != nil {
			faults = append(faults, err)
			continue
		}
		path := filepath.Join(dir, socketName)
		if len(path) > pathMost {
			os.Remove(dir)
			faults = append(faults, fmt.Errorf("%s is too long a path for a socket", path))
			continue
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			os.Remove(dir)
			faults = append(faults, err)
			continue
		}
		return &Server{dir: dir, listener: l}, nil
	}
	return nil, fmt.Errorf("no place for a control socket, set TMPDIR to a writable directory: %w", errors.Join(faults...))
}

func bases() []string {
	list := []string{os.TempDir(), "/tmp"}
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		list = append([]string{d}, list...)
	}
	return list
}

// sweep removes what a tenure left that was killed: a directory of ours with nothing in it but a socket on which
// nobody listens. Young ones are left alone; they may be about to listen.
func sweep(base string) {
	paths, err := filepath.Glob(filepath.Join(base, dirPrefix+"*", socketName))
	if err != nil {
		return
	}
	for _, path := range paths {
		info, err := os.Lstat(filepath.Dir(path))
		if err != nil || time.Since(info.ModTime()) < time.Minute || trust(path) != nil {
			continue
		}
		c, err := net.DialTimeout("unix", path, 50*time.Millisecond)
		if err == nil {
			c.Close()
			continue
		}
		if refused(err) && os.Remove(path) == nil {
			os.Remove(filepath.Dir(path))
		}
	}
}

// Path returns where the socket is.
func (s *Server) Path() string { return filepath.Join(s.dir, socketName) }

// Serve answers requests, several at a time. It returns after Close, when all answers have been given. Call it once.
func (s *Server) Serve(answer func(Request) Answer) {
	var served sync.WaitGroup
	defer served.Wait()
	room := make(chan struct{}, clientsMost)
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // Out of descriptors, say: others wait in the queue of the socket.
			time.Sleep(50 * time.Millisecond)
			continue
		}
		room <- struct{}{}
		served.Go(func() {
			defer func() { <-room }()
			defer conn.Close()
			serve(conn, answer)
		})
	}
}

func serve(conn net.Conn, answer func(Request) Answer) {
	conn.SetDeadline(time.Now().Add(perClient))
	var r Request
	var a Answer
	if err := json.NewDecoder(io.LimitReader(conn, messageMost)).Decode(&r); err != nil {
		a.Err = "not a request: " + err.Error()
	} else {
		a = answer(r)
	}
	text, err := json.Marshal(a)
	if err == nil {
		conn.Write(append(text, '\n'))
	}
}

// Close stops listening and removes the socket. Closing twice is an error without effect.
func (s *Server) Close() error { return errors.Join(s.listener.Close(), os.Remove(s.dir)) }

// Meta returns the text that tells others where the socket is.
func (s *Server) Meta() string { return fmt.Sprintf("pid=%d sock=%s", os.Getpid(), s.Path()) }

// PathIn returns the path in the metadata of a holder, or "" if there is none.
func PathIn(meta string) string {
	_, path, _ := strings.Cut(" "+meta, " sock=")
	return path
}
