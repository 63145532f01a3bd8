package nats

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/servers"
)

// shared is the server of all tests that do not break theirs.
var shared *servers.Server

const bucket = "leases"

func TestMain(m *testing.M) {
	s, err := servers.Start(context.Background(), servers.NATS())
	if err == nil {
		err = makeBucket(context.Background(), s, Bucket(bucket, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = s
	goleak.VerifyTestMain(closing{m, s})
}

// closing stops the server after the tests and before the search for goroutines.
type closing struct {
	m *testing.M
	s *servers.Server
}

func (c closing) Run() int {
	defer func() { _ = c.s.Close() }()
	return c.m.Run()
}

func makeBucket(ctx context.Context, s *servers.Server, c jetstream.KeyValueConfig) error {
	nc, err := nats.Connect("nats://" + s.Addr())
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateOrUpdateKeyValue(ctx, c)
	}
	return err
}

// serve starts a server with a bucket for the length of a test.
func serve(t servers.TB, flags ...string) *servers.Server {
	t.Helper()
	s := servers.Test(t, servers.NATS(flags...))
	if err := makeBucket(t.Context(), s, Bucket(bucket, 1)); err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

// connect returns a connection to the server at addr, for the length of a test.
func connect(t servers.TB, addr string, o ...nats.Option) jetstream.JetStream {
	t.Helper()
	o = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond), nats.RetryOnFailedConnect(true),
	}, o...)
	nc, err := nats.Connect("nats://"+addr, o...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return js
}

// open returns a Manager with a connection of its own.
func open(t servers.TB, addr string, o ...nats.Option) *Manager {
	t.Helper()
	m, err := New(Config{JetStream: connect(t, addr, o...), Bucket: bucket})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// deleteByHand deletes what is written for key, as "nats kv del" does.
func deleteByHand(ctx context.Context, m *Manager, key string) error {
	b, err := m.js.KeyValue(ctx, m.bucket)
	if err != nil {
		return err
	}
	return b.Delete(ctx, escape(key))
}
