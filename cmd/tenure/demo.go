package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/lease"
)

const (
	demoKey      = "demo"
	demoTTL      = 2 * time.Second
	demoPatience = 10 * time.Second        // how much later than it should a leader may come, on a busy machine
	demoLead     = 1500 * time.Millisecond // how long each leader is left in peace
)

func demoCommand() *command {
	return &command{
		name: "demo", args: "[--keep]", summary: "watch three processes elect a leader, lose it, and elect another",
		run: demo,
		about: "It starts three `tenure run` on a store in a temporary directory, kills the leader with SIGKILL,\n" +
			"asks the next to resign, and shows what happened, from what the processes themselves have written.\n\n" +
			"  --keep  leave the directory behind and say where it is\n\n" +
			"It takes about eight seconds, and exits with 1 if anything went otherwise than it should.\n",
	}
}

func demo(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	keep := f.Bool("keep", false, "")
	if _, err := f.parse(args); err != nil {
		return statusUsage, err
	}
	dir, err := os.MkdirTemp("", "tenure-demo-")
	if err != nil {
		return unusable(err)
	}
	if *keep {
		defer fmt.Fprintf(out, "\nWhat the processes wrote is in %s\n", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The processes end with the thread that started them: stay on it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &show{dir: dir, out: out, begin: time.Now()}
	err = s.play(ctx)
	err = errors.Join(err, s.end())
	if ctx.Err() != nil {
		return statusNo, errors.New("interrupted")
	}
	if err == nil {
		err = s.verdict()
	}
	if err != nil {
		return statusNo, err
	}
	return 0, nil
}

// show is one run of the demo.
type show struct {
	dir   string
	out   io.Writer
	begin time.Time
	cast  []*actorProcess
	marks []mark // what was done to them
}

// actorProcess is one `tenure run`.
type actorProcess struct {
	name   string
	cmd    *exec.Cmd
	ended  chan struct{}
	killed bool
}

func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%5.1f s  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// did notes what was done to a process, for the timeline.
func (s *show) did(name, what string) {
	s.marks = append(s.marks, mark{at: time.Now(), name: name, what: what})
}

func (s *show) play(ctx context.Context) error {
	if err := os.Mkdir(filepath.Join(s.dir, "store"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"node-a", "node-b", "node-c"} {
		if err := s.enter(name); err != nil {
			return err
		}
	}
	s.say("three processes stand for %q, with a lease of %v: pid %d, %d and %d",
		demoKey, demoTTL, s.cast[0].cmd.Process.Pid, s.cast[1].cmd.Process.Pid, s.cast[2].cmd.Process.Pid)
	first, err := s.awaitLeader(ctx, 0, demoPatience)
	if err != nil {
		return err
	}
	s.say("%s leads under term %d; only its program runs", first.name, first.term)
	if err := s.pause(ctx, demoLead); err != nil {
		return err
	}
	leader := s.find(first.name)
	s.say("kill -9 %d: %s is gone without a word, and its guardian kills its program", leader.cmd.Process.Pid, first.name)
	s.did(first.name, "killed with SIGKILL")
	killed := time.Now()
	leader.killed = true
	if err := leader.cmd.Process.Kill(); err != nil {
		return err
	}
	second, err := s.awaitLeader(ctx, first.term, demoTTL+demoPatience)
	if err != nil {
		return err
	}
	s.say("%s leads under term %d, %.1f s later: nobody could lead while the old lease lasted",
		second.name, second.term, second.at.Sub(killed).Seconds())
	if err := s.pause(ctx, demoLead); err != nil {
		return err
	}
	s.say("tenure resign: %s is asked to step down", second.name)
	s.did(second.name, "asked to resign")
	asked := time.Now()
	if err := s.resign(ctx); err != nil {
		return err
	}
	third, err := s.awaitLeader(ctx, second.term, demoTTL+demoPatience)
	if err != nil {
		return err
	}
	s.say("%s leads under term %d, %d ms later: a lease that is given back is free at once",
		third.name, third.term, third.at.Sub(asked).Milliseconds())
	if third.name == second.name {
		return fmt.Errorf("%s resigned and leads again", third.name)
	}
	return s.pause(ctx, demoLead)
}

// enter starts a process.
func (s *show) enter(name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p := &actorProcess{name: name, ended: make(chan struct{})}
	p.cmd = exec.Command(self, "run", "--store", s.store(), "--name", name, "--ttl", demoTTL.String(),
		"--events", "json:"+s.eventsOf(name), demoKey, "--", self, "demo-work", s.work())
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	s.cast = append(s.cast, p)
	go func() {
		defer close(p.ended)
		p.cmd.Wait()
	}()
	return nil
}

func (s *show) store() string               { return "file:" + filepath.Join(s.dir, "store") }
func (s *show) work() string                { return filepath.Join(s.dir, "work.json") }
func (s *show) eventsOf(name string) string { return filepath.Join(s.dir, name+".json") }

func (s *show) find(name string) *actorProcess {
	for _, p := range s.cast {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (s *show) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitLeader waits until the program of a leader runs whose term is greater than after.
func (s *show) awaitLeader(ctx context.Context, after lease.Term, within time.Duration) (tick, error) {
	for end := time.Now().Add(within); ; {
		ticks, err := readTicks(s.work())
		if err != nil {
			return tick{}, err
		}
		for _, t := range ticks {
			if t.term > after {
				return t, nil
			}
		}
		for _, p := range s.cast {
			select {
			case <-p.ended:
				if !p.killed {
					return tick{}, fmt.Errorf("%s has ended: %s", p.name, s.lastWords(p.name))
				}
			default:
			}
		}
		if time.Now().After(end) {
			return tick{}, fmt.Errorf("nobody leads after %v", within)
		}
		if err := s.pause(ctx, 5*time.Millisecond); err != nil {
			return tick{}, err
		}
	}
}

func (s *show) resign(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, self, "resign", "--store", s.store(), demoKey).CombinedOutput()
	if err != nil {
		return fmt.Errorf("resign: %w: %s", err, text)
	}
	return nil
}

// end ends all processes.
func (s *show) end() error {
	var faults []error
	if len(s.cast) == 3 {
		s.say("all are asked to end")
	}
	for _, p := range s.cast {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range s.cast {
		select {
		case <-p.ended:
		case <-time.After(2 * demoTTL):
			faults = append(faults, fmt.Errorf("%s does not end", p.name))
			p.cmd.Process.Kill()
			<-p.ended
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 0 && !p.killed {
			faults = append(faults, fmt.Errorf("%s exits with %d: %s", p.name, code, s.lastWords(p.name)))
		}
	}
	return errors.Join(faults...)
}

// lastWords is the last line of a process's log.
func (s *show) lastWords(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err.Error()
	}
	return lastLine(string(text))
}
