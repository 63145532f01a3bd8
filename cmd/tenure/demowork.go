package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// demoBeat is how often the program of the demo shows that it is alive.
const demoBeat = 20 * time.Millisecond

func demoWorkCommand() *command { return &command{name: "demo-work", hidden: true, run: demoWork} }

// tick is a sign of life of the program that the leader runs.
type tick struct {
	at   time.Time
	name string
	term lease.Term
}

type tickLine struct {
	At   time.Time  `json:"at"`
	Name string     `json:"name"`
	Term lease.Term `json:"term"`
}

// demoWork is that program: it writes ticks until it is asked to end.
func demoWork(_ *command, args []string, _ io.Writer) (int, error) {
	term, err := strconv.ParseUint(os.Getenv("TENURE_TERM"), 10, 64)
	if err != nil || len(args) != 1 {
		return usage("this is run by `tenure demo`; run that")
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return statusInternal, err
	}
	defer f.Close()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	beat := time.NewTicker(demoBeat)
	defer beat.Stop()
	for {
		text, err := json.Marshal(tickLine{time.Now(), os.Getenv("TENURE_NAME"), lease.Term(term)})
		if err == nil {
			_, err = f.Write(append(text, '\n'))
		}
		if err != nil {
			return statusInternal, err
		}
		select {
		case <-beat.C:
		case <-asked:
			return 0, nil
		}
	}
}

// readTicks returns the signs of life so far, oldest first.
func readTicks(path string) ([]tick, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ticks []tick
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // It is being written.
		}
		var t tickLine
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		ticks = append(ticks, tick{t.At, t.Name, t.Term})
	}
	return ticks, nil
}

// lastLine returns the last line of a text.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
