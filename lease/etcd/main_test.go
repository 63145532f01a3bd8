package etcd

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/go-tenure/tenure/internal/servers"
)

// shared is the server of all tests that do not break theirs.
var shared *servers.Server

func TestMain(m *testing.M) {
	s, err := servers.Start(context.Background(), servers.Etcd())
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

// connect returns a client of the server at addr, for the length of a test.
func connect(t servers.TB, addr string, change ...func(*clientv3.Config)) *clientv3.Client {
	t.Helper()
	c := clientv3.Config{Endpoints: []string{addr}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()}
	for _, f := range change {
		f(&c)
	}
	client, err := clientv3.New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// open returns a Manager with a client of its own.
func open(t servers.TB, addr string, change ...func(*clientv3.Config)) *Manager {
	t.Helper()
	m, err := New(Config{Client: connect(t, addr, change...)})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// deleteDir deletes what stands under key, as a person would.
func deleteDir(ctx context.Context, m *Manager, key string) error {
	_, err := m.client.Delete(ctx, m.dir(key), clientv3.WithPrefix())
	return err
}
