//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// key is what everybody stands for.
const key = "chaos"

// nodeOptions is what one process is told.
type nodeOptions struct {
	store, name, diary, events, resource string
	ttl                                  time.Duration
	broken                               bool
}

// node is one process that stands for the key until it is asked to stop.
func node(args []string) error {
	var o nodeOptions
	f := flag.NewFlagSet("node", flag.ContinueOnError)
	f.StringVar(&o.name, "name", "", "")
	f.StringVar(&o.diary, "diary", "", "")
	f.StringVar(&o.events, "events", "", "")
	f.StringVar(&o.resource, "resource", "", "")
	f.DurationVar(&o.ttl, "ttl", 0, "")
	f.BoolVar(&o.broken, "broken", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.store = os.Getenv("TENURE_STORE")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return o.run(ctx)
}

func (o nodeOptions) run(ctx context.Context) error {
	m, err := store.Open(o.store)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	w := &worker{o: o}
	if w.diary, err = openDiary(o.diary); err != nil {
		return err
	}
	manager := lease.Manager(m.Manager)
	if o.broken {
		manager = generous{manager}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	n, err := actor.New(actor.Config{Name: o.name, Manager: manager, Logger: log})
	if err != nil {
		return err
	}
	if _, err := n.Campaign(actor.Election{Key: key, Timing: fsm.Timing{TTL: o.ttl}, Lead: w.lead}); err != nil {
		return err
	}
	out, err := os.OpenFile(o.events, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	sub, err := n.Subscribe(context.Background(), events.Options{Policy: events.DropOldest, Buffer: 4096})
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- writeEvents(out, sub) }()
	return errors.Join(n.Run(ctx), <-written)
}

func writeEvents(out *os.File, sub *events.Subscription) error {
	for t := range sub.All() {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// worker is the work of the leader.
type worker struct {
	o     nodeOptions
	diary *diary
	count int
}

// lead adds to both sets until leadership ends. It is cooperative: it looks before each step whether it still leads.
func (w *worker) lead(ctx context.Context, t *actor.Tenure) error {
	w.diary.note(begun, t.Term())
	defer func() { w.diary.note(returned, t.Term()) }()
	c, err := net.Dial("unix", w.o.resource)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	r := &client{conn: c, in: bufio.NewReader(c), term: t.Term(), who: w.o.name}
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil && t.Leading() {
		w.count++
		element := fmt.Sprintf("%s.%d.%d", w.o.name, os.Getpid(), w.count)
		if err := r.add("plain", element); err != nil {
			return err
		}
		if err := r.add("fenced", element); err != nil {
			return err
		}
		w.diary.note(acted, t.Term())
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// client talks to the resource.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	term lease.Term
	who  string
}

// add reads a set, thinks, and writes it back with one element more. That it is refused is no error: its term has
// ended, and the work is about to hear of it.
func (c *client) add(name, element string) error {
	n, err := c.ask(fmt.Sprintf("r %s %d %s", name, c.term, c.who))
	if err != nil || n == "refused" {
		return err
	}
	time.Sleep(2 * time.Millisecond)
	_, err = c.ask(fmt.Sprintf("w %s %d %s %s %s", name, c.term, c.who, n, element))
	return err
}

func (c *client) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c.conn, line); err != nil {
		return "", err
	}
	text, err := c.in.ReadString('\n')
	return strings.TrimSpace(text), err
}

// generous is a broken store, with which a run must fail: it grants what is held by another, and takes every renewal
// for done.
type generous struct{ lease.Manager }

// Acquire implements lease.Manager, badly.
func (g generous) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	l, err := g.Manager.Acquire(ctx, key, h, ttl)
	if r, refused := lease.Refusal(err); refused {
		return lease.Lease{Key: key, Holder: h, Term: r.Term + 1}, nil
	}
	return l, err
}

// Renew implements lease.Manager, badly.
func (g generous) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	_ = g.Manager.Renew(ctx, l, ttl)
	return nil
}
