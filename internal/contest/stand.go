package contest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/go-tenure/tenure/actor"
)

// Node is a node that stands for one key. Its log may be read while it is written.
type Node struct {
	stop func()
	mu   sync.Mutex
	log  bytes.Buffer
}

// Stand has a node stand in one election, until the test ends or it is stopped. What Config.Logger is told goes to the
// log of the Node instead.
func Stand(t *testing.T, c actor.Config, e actor.Election) (*actor.Campaign, *Node) {
	t.Helper()
	n := &Node{}
	c.Logger = slog.New(slog.NewTextHandler(n, nil))
	node, err := actor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	campaign, err := node.Campaign(e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("node %q ends with %v", c.Name, err)
		}
	})
	t.Cleanup(n.stop)
	return campaign, n
}

// Stop ends the node and waits for it. Stopping twice does no harm.
func (n *Node) Stop() { n.stop() }

// Write adds to the log.
func (n *Node) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

// String returns the log.
func (n *Node) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

// Count returns how often the log says text.
func (n *Node) Count(text string) int { return strings.Count(n.String(), text) }
