//go:build linux

// Package stands puts every store that the command line knows on its real server: it starts the server, makes what the
// store needs (a table, a bucket), and gives the address to write after --store. Chaos runs, benchmarks and the tests
// of the command line go over the same list, so a store that is added to it is broken, measured and reached like all
// others.
package stands

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
)

// Kind is one store and how to set it up.
type Kind struct {
	Name string
	// Support starts a server that the store's own server needs. Nil: it needs none.
	Support func() servers.Spec
	// Server is what the store talks to; support is nil if there is none. Nil: the store is reached by a path.
	Server func(support *servers.Server) servers.Spec
	// Prepare makes what the store needs on a server that has just started. Nil: nothing.
	Prepare func(ctx context.Context, s *servers.Server) error
	// Address returns what to write after --store for a server at the host and port at, which may be a proxy's.
	// A store without a server is given a directory of its own in at.
	Address func(s *servers.Server, at string) string
	// TTL is a short lease that the store carries on a busy machine.
	TTL time.Duration
	// Register says that the store keeps records and does not let leases run out, so that a newcomer has to watch one for
	// its whole length.
	Register bool
	// Extra is how much later than it should a lease may be free: a guard, or a store that counts in whole seconds.
	Extra time.Duration
	// Forgets says that the store loses its leases when its server is killed without its data on disk: it is not killed
	// in chaos runs, only paused and cut off.
	Forgets bool
	// Notifies says that the store tells followers of a release.
	Notifies bool
}

// Names returns the names of all kinds, in order.
func Names() []string {
	return slices.Sorted(maps.Keys(kinds()))
}

// Find returns the kind with that name.
func Find(name string) (Kind, error) {
	k, ok := kinds()[name]
	if !ok {
		return Kind{}, fmt.Errorf("there is no store %q; there are %s", name, strings.Join(Names(), ", "))
	}
	k.Name = name
	return k, nil
}

// Stand is a store that stands ready.
type Stand struct {
	Kind
	Server  *servers.Server // nil if the store needs none
	support *servers.Server
	dir     string
}

// Open starts the server and prepares it. Close the stand.
func Open(ctx context.Context, k Kind) (*Stand, error) {
	dir, err := os.MkdirTemp("", "tenure-stand-")
	if err != nil {
		return nil, fmt.Errorf("stands: no temporary directory: %w", err)
	}
	s := &Stand{Kind: k, dir: dir}
	if k.Server == nil {
		return s, os.Mkdir(s.path(), 0o700)
	}
	if err := s.start(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("stands: %s: %w", k.Name, err)
	}
	return s, nil
}

func (s *Stand) start(ctx context.Context) (err error) {
	if s.Support != nil {
		if s.support, err = servers.Start(ctx, s.Support()); err != nil {
			return err
		}
	}
	if s.Server, err = servers.Start(ctx, s.Kind.Server(s.support)); err != nil || s.Prepare == nil {
		return err
	}
	return s.Prepare(ctx, s.Server)
}

// Address returns what to write after --store to reach the server directly.
func (s *Stand) Address() string {
	if s.Server == nil {
		return s.Kind.Address(nil, s.path())
	}
	return s.Kind.Address(s.Server, s.Server.Addr())
}

// Through returns what to write after --store to reach the server through a proxy.
func (s *Stand) Through(p *servers.Proxy) string {
	_, port, _ := net.SplitHostPort(p.Addr())
	return s.Kind.Address(s.Server, net.JoinHostPort("127.0.0.1", port))
}

// Close stops the server and removes everything.
func (s *Stand) Close() error {
	for _, server := range []*servers.Server{s.Server, s.support} {
		if server != nil {
			_ = server.Close()
		}
	}
	return os.RemoveAll(s.dir)
}

func (s *Stand) path() string { return filepath.Join(s.dir, "store") }
