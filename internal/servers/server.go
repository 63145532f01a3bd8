//go:build linux

package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Spec says how a server is started.
type Spec struct {
	// Name is how the server is called in errors, and in the names of its directories. Required.
	Name string
	// Ports is how many loopback ports the server listens on. Zero means one.
	Ports int
	// Init makes the data directory ready before the first start, and after the data was thrown away. Nil: nothing to do.
	Init func(ctx context.Context, i Instance) error
	// Command returns the program and its arguments. It is asked at each start. Required.
	Command func(i Instance) ([]string, error)
	// Env is added to the environment of the server, each as NAME=VALUE.
	Env []string
	// User is who the server runs as if this process is root; for servers that refuse root. Empty: as this process.
	User string
	// Ready returns nil once the server serves. It is asked again and again, each time with a second to answer. Nil: the
	// first port accepts a connection.
	Ready func(ctx context.Context, i Instance) error
	// Patience is how long a start may take. Zero means 60 seconds, which is long even for a loaded machine.
	Patience time.Duration
	secure   bool // it speaks TLS, see Secure
}

// Instance is where one server of a Spec lives. It stays the same across restarts.
type Instance struct {
	Dir   string // its own, empty before Init; owned by the user that the server runs as
	Ports []int  // on 127.0.0.1
	spec  *Spec
}

// Addr returns the address of the first port, such as 127.0.0.1:12345.
func (i Instance) Addr() string { return i.AddrOf(0) }

// AddrOf returns the address of the n-th port, counted from 0.
func (i Instance) AddrOf(n int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(i.Ports[n]))
}

// Server is a server that was started here. Its methods may be called from any goroutine, one at a time.
type Server struct {
	Instance
	spec   Spec
	base   string // holds Dir and the log
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has been waited for
}

// Start starts a server and returns when it serves. Close it.
func Start(ctx context.Context, spec Spec) (*Server, error) {
	if spec.Ports == 0 {
		spec.Ports = 1
	}
	if spec.Patience == 0 {
		spec.Patience = time.Minute
	}
	base, err := os.MkdirTemp("", "tenure-"+spec.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("servers: %s: no temporary directory: %w", spec.Name, err)
	}
	s := &Server{spec: spec, base: base}
	s.Dir, s.Instance.spec = filepath.Join(base, "data"), &s.spec
	if err = os.Chmod(base, 0o711); err == nil { // another user must reach its own directory inside
		err = s.certify()
	}
	for try := 0; err == nil && try < 3; try++ {
		if s.Ports, err = freePorts(spec.Ports); err != nil {
			break
		}
		if err = s.empty(ctx); err != nil {
			break
		}
		if err = s.run(ctx); err == nil {
			return s, nil
		}
		s.kill()
		if ctx.Err() != nil {
			break
		}
		err = fmt.Errorf("%w; it printed:\n%s", err, s.Log())
	}
	_ = os.RemoveAll(base)
	return nil, fmt.Errorf("servers: %s: %w", spec.Name, err)
}

// empty makes a fresh data directory.
func (s *Server) empty(ctx context.Context) error {
	if err := os.RemoveAll(s.Dir); err != nil {
		return err
	}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return err
	}
	if c := s.spec.credential(); c != nil {
		if err := os.Chown(s.Dir, int(c.Uid), int(c.Gid)); err != nil {
			return err
		}
	}
	if s.spec.Init == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.spec.Patience)
	defer cancel()
	if err := s.spec.Init(ctx, s.Instance); err != nil {
		return fmt.Errorf("making its data directory: %w", err)
	}
	return nil
}

// run starts the process and waits until it serves or is gone.
func (s *Server) run(ctx context.Context) error {
	args, err := s.spec.Command(s.Instance)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.Env = append(os.Environ(), s.spec.Env...)
	cmd.SysProcAttr = s.spec.attributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	return s.ready(ctx, exited)
}

func (s *Server) ready(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, s.spec.Patience)
	defer cancel()
	ask := s.spec.Ready
	if ask == nil {
		ask = accepts
	}
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		once, done := context.WithTimeout(ctx, time.Second)
		err := ask(once, s.Instance)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it ended instead of serving")
		case <-ctx.Done():
			return fmt.Errorf("it does not serve: %w (%w)", err, context.Cause(ctx))
		case <-pause.C:
		}
	}
}

func accepts(ctx context.Context, i Instance) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", i.Addr())
	if err == nil {
		err = c.Close()
	}
	return err
}

// Kill ends the server and all its processes with SIGKILL, paused or not, and returns when they are gone. Its data
// stays. A server that is down already stays down.
func (s *Server) Kill() { s.kill() }

func (s *Server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	killTree(s.cmd.Process.Pid)
	<-s.exited
	s.cmd = nil
}

// Pause stops all processes of the server, as a machine that hangs does: connections stay open, nothing is answered.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return fmt.Errorf("servers: %s is down", s.spec.Name)
	}
	return signalTree(s.cmd.Process.Pid, sig)
}

// Restart kills the server if it runs, and starts it on the same ports with the data that it had on disk.
func (s *Server) Restart(ctx context.Context) error {
	s.kill()
	return s.again(ctx)
}

// RestartEmpty is Restart without the data: the server comes back as if new.
func (s *Server) RestartEmpty(ctx context.Context) error {
	s.kill()
	if err := s.empty(ctx); err != nil {
		return fmt.Errorf("servers: %s: %w", s.spec.Name, err)
	}
	return s.again(ctx)
}

func (s *Server) again(ctx context.Context) error {
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("servers: %s does not come back: %w; it printed:\n%s", s.spec.Name, err, s.Log())
	}
	return nil
}

// Close kills the server and removes what it left on disk. Closing twice does no harm.
func (s *Server) Close() error {
	s.kill()
	return os.RemoveAll(s.base)
}

// Pid returns the process that was started, 0 if the server is down.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Log returns the end of what the server has printed since its last start, at most 4 KiB.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}

func (s *Server) logPath() string { return filepath.Join(s.base, "log") }

// freePorts finds n ports on which nobody listens, below the range that outgoing connections are given.
func freePorts(n int) ([]int, error) {
	var ports []int
	var open []net.Listener
	defer func() {
		for _, l := range open {
			_ = l.Close()
		}
	}()
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			ports, open = append(ports, port), append(open, l)
		}
	}
	return nil, errors.New("no free port from 10000 to 29999 on 127.0.0.1")
}

// attributes of the process: its own group, and it dies with us.
func (s *Spec) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: s.credential()}
}

// credential returns whom to run as, nil to stay who we are.
func (s *Spec) credential() *syscall.Credential {
	if s.User == "" || os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(s.User)
	if err != nil {
		return nil // the server will say that it does not run as root
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Exec runs a program to its end as the user of the server, such as one that makes a data directory. If it fails the
// error has what it printed.
func (i Instance) Exec(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.SysProcAttr = i.Dir, i.spec.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out)
	}
	return nil
}
