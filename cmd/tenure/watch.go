package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

func watchCommand() *command {
	return &command{
		name: "watch", args: "[--store URL] [--json] [--every D] KEY", summary: "print each change of leader", run: watch,
		about: "  --store URL  the store to watch, or TENURE_STORE\n" +
			"  --json       write one JSON object per line\n" +
			"  --every D    how often to look, beside being told by the store; default 1s\n\n" +
			"It begins with the present leader and ends with SIGINT or SIGTERM.\n",
	}
}

func watch(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	asJSON := f.Bool("json", false, "")
	every := f.Duration("every", time.Second, "")
	m, key, code, err := keyCommand(f, args)
	if err != nil {
		return code, err
	}
	defer m.Close()
	if *every < 10*time.Millisecond {
		return usage("--every %v is less than 10ms; look less often", *every)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := watching{store: m.Manager, key: key, every: *every, json: *asJSON, out: out}
	if err := w.run(ctx); err != nil {
		return unusable(fmt.Errorf("store %s: %w", store.Redact(*f.store), err))
	}
	return 0, nil
}

// watching prints what becomes of one key.
type watching struct {
	store store.Manager
	key   string
	every time.Duration
	json  bool
	out   io.Writer
	seen  bool
	last  description
}

func (w *watching) run(ctx context.Context) error {
	told := make(chan struct{}, 1)
	if s, ok := w.store.(lease.Watcher); ok {
		stop, err := s.Watch(w.key, func(lease.Record) {
			select {
			case told <- struct{}{}:
			default:
			}
		})
		if err != nil {
			return err
		}
		defer stop()
	}
	look := time.NewTicker(w.every)
	defer look.Stop()
	for {
		r, err := ask(ctx, w.store, w.key, answerWithin)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!w.seen || isPermanent(err)):
			return err
		case err != nil:
			fmt.Fprintln(os.Stderr, "tenure watch:", oneLine(err))
		default:
			if err := w.print(r); err != nil {
				return nil // Whoever read this has left.
			}
		}
		select {
		case <-told:
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// print prints a record if it says something new.
func (w *watching) print(r lease.Record) error {
	d := describe(w.key, r)
	d.Remaining = nil // It changes with every renewal and is nobody's news.
	if w.seen && d == w.last {
		return nil
	}
	w.seen, w.last = true, d
	at := time.Now()
	if w.json {
		text, err := json.Marshal(struct {
			At time.Time `json:"at"`
			description
		}{at.UTC(), d})
		if err == nil {
			_, err = fmt.Fprintf(w.out, "%s\n", text)
		}
		return err
	}
	if d.Led {
		r.Remaining = -1
	}
	_, err := fmt.Fprintf(w.out, "%s  %s\n", at.Format("15:04:05.000"), sentence(w.key, r))
	return err
}
