package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

func statusCommand() *command {
	return &command{
		name: "status", args: "[--store URL] [--json] [--timeout D] KEY", summary: "say who leads", run: status,
		about: "  --store URL  the store to ask, or TENURE_STORE\n" +
			"  --json       write one JSON object\n" +
			"  --timeout D  how long the store may take; default 5s\n\n" +
			"It exits with 0 if somebody leads, with 1 if nobody does, with 69 if the store does not say.\n",
	}
}

// openStore opens a store and returns the exit code that goes with the error.
func openStore(address string) (*store.Store, int, error) {
	m, err := store.Open(address)
	if errors.Is(err, store.ErrURL) {
		return nil, statusUsage, err
	}
	if err != nil {
		return nil, statusUnavailable, fmt.Errorf("store %s: %w", store.Redact(address), err)
	}
	return m, 0, nil
}

// keyCommand is what the commands about one key of a store have in common.
func keyCommand(f *flags, args []string) (m *store.Store, key string, status int, err error) {
	rest, err := f.withStore().parse(args, "KEY")
	if err == nil {
		err = checkKey(rest[0])
	}
	if err != nil {
		return nil, "", statusUsage, err
	}
	m, status, err = openStore(*f.store)
	return m, rest[0], status, err
}

func status(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	asJSON := f.Bool("json", false, "")
	timeout := f.Duration("timeout", answerWithin, "")
	m, key, code, err := keyCommand(f, args)
	if err != nil {
		return code, err
	}
	defer m.Close()
	r, err := ask(context.Background(), m, key, *timeout)
	if err != nil {
		return unusable(fmt.Errorf("store %s: %w", store.Redact(*f.store), err))
	}
	if *asJSON {
		text, err := json.Marshal(describe(key, r))
		if err != nil {
			return statusInternal, err
		}
		fmt.Fprintf(out, "%s\n", text)
	} else {
		fmt.Fprintln(out, sentence(key, r))
	}
	if r.Vacant() {
		return statusNo, nil
	}
	return 0, nil
}

// description is a Record for machines.
type description struct {
	Key       string     `json:"key"`
	Led       bool       `json:"led"`
	Leader    string     `json:"leader,omitempty"`
	Term      lease.Term `json:"term"`
	Remaining *float64   `json:"remaining_seconds,omitempty"` // absent if the store cannot tell
	Meta      string     `json:"meta,omitempty"`
}

func describe(key string, r lease.Record) description {
	d := description{Key: key, Led: !r.Vacant(), Term: r.Term}
	if d.Led {
		d.Leader, d.Meta = r.Holder.Name, r.Holder.Meta
		if r.Remaining >= 0 {
			s := r.Remaining.Seconds()
			d.Remaining = &s
		}
	}
	return d
}

// sentence is a Record for people.
func sentence(key string, r lease.Record) string {
	switch {
	case r.Vacant() && r.Term == 0: // and whether anybody ever did is not known: some stores keep no record of it
		return fmt.Sprintf("%s: nobody leads", key)
	case r.Vacant():
		return fmt.Sprintf("%s: nobody leads since term %d", key, r.Term)
	case r.Remaining < 0:
		return fmt.Sprintf("%s: %s leads under term %d", key, r.Holder, r.Term)
	default:
		return fmt.Sprintf("%s: %s leads under term %d, for %v unless renewed",
			key, r.Holder, r.Term, r.Remaining.Round(100*time.Millisecond))
	}
}

func resignCommand() *command {
	return &command{
		name: "resign", args: "[--store URL] [--timeout D] KEY", summary: "ask the leader to step down", run: resign,
		about: "  --store URL  the store to find the leader in, or TENURE_STORE\n" +
			"  --timeout D  how long to wait until it has stepped down; default 30s\n\n" +
			"The leader must be a `tenure run` of the same user on this host (or ask as root). It asks its\n" +
			"command to end, releases the lease when it has, and stands back until another has led. The exit\n" +
			"code is 0 when it has stepped down, 1 if nobody leads, 69 if the leader cannot be reached or does\n" +
			"not.\n",
	}
}

func resign(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	timeout := f.Duration("timeout", 30*time.Second, "")
	m, key, code, err := keyCommand(f, args)
	if err != nil {
		return code, err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	r, err := ask(ctx, m, key, min(*timeout, answerWithin))
	if err != nil {
		return unusable(fmt.Errorf("store %s: %w", store.Redact(*f.store), err))
	}
	if r.Vacant() {
		return statusNo, errors.New(sentence(key, r) + "; there is nobody to ask")
	}
	path := control.PathIn(r.Holder.Meta)
	if path == "" {
		return unusable(fmt.Errorf("%s leads and is no `tenure run`; stop it by its own means", r.Holder))
	}
	a, err := control.Ask(ctx, path, control.Request{Ask: control.Resign, Key: key, Term: r.Term})
	if err == nil && a.Err != "" {
		err = errors.New(a.Err)
	}
	if errors.Is(err, control.ErrNobody) {
		return unusable(fmt.Errorf("%s has ended, or runs on another host; its lease lasts for another %v",
			r.Holder, r.Remaining.Round(100*time.Millisecond)))
	}
	if err != nil {
		return unusable(fmt.Errorf("ask %s: %w", r.Holder, err))
	}
	return awaitEnd(ctx, m, key, r, out)
}

// awaitEnd waits until the lease is no longer what it was.
func awaitEnd(ctx context.Context, m store.Manager, key string, was lease.Record, out io.Writer) (int, error) {
	for {
		r, err := m.Read(ctx, key)
		if err == nil && (r.Vacant() || r.Term != was.Term) {
			fmt.Fprintf(out, "%s: %s has stepped down from term %d\n", key, was.Holder, was.Term)
			return 0, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return unusable(fmt.Errorf("%s was asked and has not stepped down yet; its command is slow to end", was.Holder))
		}
	}
}
