package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-tenure/tenure/events"
)

// eventWriter writes events as JSON, one on a line. A nil one writes nothing.
type eventWriter struct {
	file   *os.File
	failed bool
}

// openEvents opens where events go: nowhere, "-" for standard output, or a file that is appended to.
func openEvents(where string) (*eventWriter, error) {
	switch where {
	case "":
		return nil, nil
	case "-":
		return &eventWriter{file: os.Stdout}, nil
	}
	f, err := os.OpenFile(where, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--events: %w; give a file that can be written", err)
	}
	return &eventWriter{file: f}, nil
}

// write writes one line in one piece, so that lines of others do not get into it. What fails once is given up.
func (w *eventWriter) write(t events.Transition, log *slog.Logger) {
	if w == nil || w.failed {
		return
	}
	text, err := json.Marshal(t)
	if err == nil {
		_, err = w.file.Write(append(text, '\n'))
	}
	if err != nil {
		w.failed = true
		log.Error("events are no longer written", "err", err)
	}
}

// Close closes a file.
func (w *eventWriter) Close() error {
	if w == nil || w.file == os.Stdout {
		return nil
	}
	return w.file.Close()
}
