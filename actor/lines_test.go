package actor

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/go-tenure/tenure/lease"
)

var errNoTable = lease.Permanent(errors.New("there is no such table; create it"))

// lines is a log in memory.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// count returns how many lines have s.
func (l *lines) count(s string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.all.String()) {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}
