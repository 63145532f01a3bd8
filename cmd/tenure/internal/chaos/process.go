//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/internal/servers"
)

// span is a stretch of time of this host.
type span struct{ from, to hostclock.Instant }

// process is one of those that stand for the key. It keeps its name and its diary when it is started again.
type process struct {
	name   string
	proxy  *servers.Proxy // nil if the store has no server
	cmd    *exec.Cmd
	began  time.Time
	exited chan error
	paused []span // while SIGSTOP held it; the last one may be open
	fault  error  // it ended though nobody asked it to
}

func (p *process) path(dir, what string) string { return filepath.Join(dir, p.name+"."+what) }

// start starts the process, for the first time or again.
func (p *process) start(e *election) error {
	log, err := os.OpenFile(p.path(e.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	address := e.stand.Address()
	if p.proxy != nil {
		address = e.stand.Through(p.proxy)
	}
	cmd := exec.Command(e.self, "node", "--name", p.name, "--ttl", e.stand.TTL.String(),
		"--diary", p.path(e.dir, "diary"), "--events", p.path(e.dir, "events"),
		"--resource", filepath.Join(e.dir, "resource"), fmt.Sprintf("--broken=%t", e.broken))
	cmd.Env = append(os.Environ(), "TENURE_STORE="+address, "GOMAXPROCS=2", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	p.cmd, p.exited, p.began = cmd, exited, time.Now()
	return nil
}

func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// kill ends it with SIGKILL, stopped or not.
func (p *process) kill() {
	p.look()
	p.signal(syscall.SIGKILL)
	p.await(time.Minute)
	p.resumed()
}

// pause stops it. What it does from then on is not its own doing.
func (p *process) pause() {
	p.paused = append(p.paused, span{from: hostclock.Now()})
	p.signal(syscall.SIGSTOP)
}

func (p *process) resume() {
	p.signal(syscall.SIGCONT)
	p.resumed()
}

func (p *process) resumed() {
	if n := len(p.paused); n > 0 && p.paused[n-1].to == 0 {
		p.paused[n-1].to = hostclock.Now()
	}
}

// stop asks it to end and waits. One that has only just been started may not listen yet, and dies of it.
func (p *process) stop(patience time.Duration) error {
	p.look()
	p.signal(syscall.SIGTERM)
	err := p.await(patience)
	var exit *exec.ExitError
	if errors.As(err, &exit) && time.Since(p.began) < 10*time.Second {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return err
}

// look notes if it has ended by itself.
func (p *process) look() {
	select {
	case err := <-p.exited:
		p.exited <- err
		if p.fault == nil {
			p.fault = fmt.Errorf("%s ended by itself: %v", p.name, err)
		}
	default:
	}
}

func (p *process) await(patience time.Duration) error {
	end := time.NewTimer(patience)
	defer end.Stop()
	select {
	case err := <-p.exited:
		p.exited <- err
		return err
	case <-end.C:
		return fmt.Errorf("%s does not end within %v of being asked", p.name, patience)
	}
}
