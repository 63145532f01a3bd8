//go:build linux && apiserver

package interop_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/kubernetes"
)

// brisk is a timing for a test that waits for leases to end. An elector of it may act 500 ms longer than its lease
// (twice 2 s to renew, 500 ms between, less 4 s); the rest of the guard is for a machine that is busy.
var brisk = timing{4 * time.Second, 2 * time.Second, 500 * time.Millisecond}

const briskGuard = 2500 * time.Millisecond

// actors is the tests, or one process of an election if the environment says so.
type actors struct{ m *testing.M }

func (a actors) Run() int {
	if os.Getenv("INTEROP_KIND") == "" {
		return a.m.Run()
	}
	if err := act(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0) // and not by way of goleak: client-go leaves connections
	return 0
}

// act stands for a key until it is told to stop, and keeps a diary of when it led.
func act() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	diary, err := os.OpenFile(os.Getenv("INTEROP_DIARY"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = diary.Close() }()
	work := func(ctx context.Context, term lease.Term) {
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(diary, "begin %d %d\n", hostTime(), term)
		<-ctx.Done()
		fmt.Fprintf(diary, "end %d %d\n", hostTime(), term)
	}
	server, ca, key, name := os.Getenv("INTEROP_SERVER"), os.Getenv("INTEROP_CA"), os.Getenv("INTEROP_KEY"),
		os.Getenv("INTEROP_NAME")
	client, err := coordination.NewForConfig(&rest.Config{
		Host: server, BearerToken: servers.KubeAdmin, TLSClientConfig: rest.TLSClientConfig{CAFile: ca}, QPS: 50, Burst: 100,
		Timeout: brisk.renew,
	})
	if err != nil {
		return err
	}
	var c kubernetes.Client
	switch os.Getenv("INTEROP_KIND") {
	case "client-go":
		elect(ctx, client, brisk, true, key, name, func(ctx context.Context) { work(ctx, 0) })
		return nil
	case "typed":
		c = kubernetes.Typed(client.Leases("default"))
	default:
		h, err := kubernetes.NewHTTP(server, "default", ca, "")
		if err != nil {
			return err
		}
		h.Token = func() (string, error) { return servers.KubeAdmin, nil }
		c = h
	}
	return stand(ctx, c, brisk.lease, briskGuard, key, name, work)
}

// hostTime is the monotonic clock that all processes of this host share.
func hostTime() time.Duration {
	var ts syscall.Timespec
	const monotonic = 1
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(ts.Nano())
}

// process is one that stands for a key. One goroutine uses it.
type process struct {
	name, kind, diary string
	proxy             *servers.Proxy
	cmd               *exec.Cmd
	exited            chan struct{}
	paused            time.Duration // when it was stopped for the first time, and has not been trusted since; 0: never
	gone              time.Duration // when it was dead
}

// launch starts a process of a kind ("client-go", "typed", "http") whose way to the server is a proxy of its own.
func launch(t *testing.T, api *servers.Server, kind, name, key string) *process {
	proxy, err := servers.NewProxy(api.Addr())
	if err != nil {
		t.Error(err)
		return nil
	}
	p := &process{
		name: kind + " " + name, kind: kind, diary: filepath.Join(t.TempDir(), "diary"), proxy: proxy,
		exited: make(chan struct{}),
	}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), "INTEROP_KIND="+kind, "INTEROP_NAME="+name, "INTEROP_KEY="+key,
		"GORACE=atexit_sleep_ms=0",
		"INTEROP_DIARY="+p.diary, "INTEROP_SERVER=https://"+proxy.Addr(), "INTEROP_CA="+servers.KubeCA(api.Instance))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = os.Stderr, os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Error(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() { p.end(syscall.SIGKILL); p.proxy.Close() })
	return p
}

// end ends it, if it has not ended, and returns when it has.
func (p *process) end(sig syscall.Signal) {
	if p.gone > 0 {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	<-p.exited
	p.gone = hostTime()
}

func (p *process) pause() {
	p.paused = hostTime()
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
}

func (p *process) resume() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// tenure is a stretch of time in which a process led, on the host's clock.
type tenure struct {
	who      string
	from, to time.Duration
	term     lease.Term
}

// tenures reads the diary. One that has not ended lasts until now, or until the process was dead. One in which the
// process was stopped ends there: what is frozen cannot stop, and terms are what orders it.
func (p *process) tenures() []tenure {
	f, err := os.Open(p.diary)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		panic(err)
	}
	defer func() { _ = f.Close() }()
	var all []tenure
	for s := bufio.NewScanner(f); s.Scan(); {
		var what string
		var at time.Duration
		var term lease.Term
		if _, err := fmt.Sscan(s.Text(), &what, &at, &term); err != nil {
			continue // half a line of a process that was killed
		}
		if what == "begin" {
			all = append(all, tenure{who: p.name, from: at, term: term})
		} else {
			all[len(all)-1].to = at
		}
	}
	for i := range all {
		if all[i].to == 0 {
			all[i].to = hostTime()
			if p.gone > 0 {
				all[i].to = p.gone
			}
		}
		if p.paused > all[i].from && p.paused < all[i].to {
			all[i].to = p.paused
		}
	}
	return all
}

// leads reports whether it has begun to lead after an instant and has not ended.
func (p *process) leads(since time.Duration) bool {
	text, err := os.ReadFile(p.diary)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var at time.Duration
	_, bad := fmt.Sscanf(lines[len(lines)-1], "begin %d", &at)
	return err == nil && bad == nil && at > since
}
