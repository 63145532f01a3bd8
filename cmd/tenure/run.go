package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// leastGrace leaves a guardian that is stuck time to be killed, and the command with it, before the lease ends.
const leastGrace = 2 * guard.Allowance

const runHelp = `KEY names the election. CMD is executed as it is, without a shell, in a process group of its own.

  --store URL    the store to compete in, or TENURE_STORE
  --name NAME    what people call this process; default: host, process ID and four letters
  --ttl D        length of the lease; default 15s, at least 1s
  --grace D      how long before the end of the lease CMD is asked to end, and how long after
                 being asked it is killed; default a fifth of the TTL
  --wait D       exit with 75 if not elected for so long; 0 tries once; default: wait for ever
  --once         when CMD ends exit with its code, and do not stand again
  --events json  write one JSON object per transition to standard output;
                 json:FILE appends to a file
  --http ADDR    serve /livez, /readyz, /leader and /status; :PORT means 127.0.0.1:PORT
  --tty          give CMD the terminal; Ctrl-C then reaches CMD and not tenure
  --verbose      log the moves of a follower, too

CMD finds in its environment TENURE_KEY, TENURE_NAME, TENURE_TERM (the fencing token: send it along
with every write, to a resource that refuses smaller ones), TENURE_TTL and, for "tenure check",
TENURE_SOCK.

CMD is asked to end (SIGTERM) when the lease can no longer be renewed and killed (SIGKILL) before
the lease ends, with everything it started; also when tenure is killed, stopped or hung. The lease
is released after the last of its processes is gone. The first SIGINT or SIGTERM stops tenure
gracefully, the second kills CMD. A tenure that does not lead waits no longer than a second for a
store that does not answer. SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH and SIGCONT are
passed on to CMD; a CMD that dies of SIGHUP or SIGQUIT takes tenure along. A host that was suspended
may run CMD for a moment after it wakes; so may one whose tenure and guardian were stopped together.
Only the term protects from that.

`

func runCommand() *command {
	return &command{
		name: "run", args: "[--store URL] [flags] KEY -- CMD ARG...",
		summary: "run a program only while this process leads", about: runHelp + statusHelp, run: run,
	}
}

// runOptions is the command line of run.
type runOptions struct {
	store, key, name string
	timing           fsm.Timing
	wait             time.Duration
	waits            bool // --wait was given
	once             bool
	events           string // "", "-" for standard output, or the file
	http             string
	tty, verbose     bool
	path             string // of the command
	args             []string
}

func run(c *command, args []string, _ io.Writer) (int, error) {
	o, status, err := parseRun(c, args)
	if err != nil {
		return status, err
	}
	m, status, err := openStore(o.store)
	if err != nil {
		return status, err
	}
	defer m.Close()
	r := &runner{
		o: o, log: newLogger(os.Stderr, o.verbose), renewed: make(chan struct{}, 1), spare: make(chan *guard.Guardian, 1),
	}
	return r.run(m.Manager)
}

// parseRun reads the command line and checks all that can be checked without the store.
func parseRun(c *command, args []string) (runOptions, int, error) {
	var o runOptions
	i := slices.Index(args, "--")
	own := args
	if i >= 0 {
		own, o.args = args[:i], args[i+1:]
	}
	f := newFlags(c).withStore()
	f.StringVar(&o.name, "name", "", "")
	f.DurationVar(&o.timing.TTL, "ttl", defaultTTL, "")
	f.DurationVar(&o.timing.Grace, "grace", 0, "")
	f.DurationVar(&o.wait, "wait", 0, "")
	f.BoolVar(&o.once, "once", false, "")
	f.StringVar(&o.events, "events", "", "")
	f.StringVar(&o.http, "http", "", "")
	f.BoolVar(&o.tty, "tty", false, "")
	f.BoolVar(&o.verbose, "verbose", false, "")
	rest, err := f.mixed(own)
	switch {
	case err != nil:
	case i < 0:
		err = errors.New(`no "--" before the command; write tenure run [flags] KEY -- CMD`)
	case len(o.args) == 0:
		err = errors.New(`no command after "--"; write tenure run [flags] KEY -- CMD`)
	default:
		err = f.want(rest, "KEY")
	}
	if err != nil {
		return o, statusUsage, err
	}
	o.store, o.key, o.waits = *f.store, rest[0], f.given("wait")
	if err := o.check(f); err != nil {
		return o, statusUsage, err
	}
	status, err := o.find()
	return o, status, err
}

func (o *runOptions) check(f *flags) error {
	if err := checkKey(o.key); err != nil {
		return err
	}
	if o.name != "" {
		if err := (lease.Holder{Name: o.name, Incarnation: "x"}).Check(); err != nil {
			return err
		}
	}
	if o.wait < 0 {
		return fmt.Errorf("--wait %v is negative; leave it out to wait for ever", o.wait)
	}
	format, file, _ := strings.Cut(o.events, ":")
	switch {
	case format != "" && format != "json":
		return fmt.Errorf("--events %q is unknown; use json or json:FILE", o.events)
	case file != "":
		o.events = file
	case format != "":
		o.events = "-"
	}
	if o.timing.TTL < time.Second {
		return fmt.Errorf("--ttl %v is less than 1s, too short to start and kill programs in; give 1s or more", o.timing.TTL)
	}
	if f.given("grace") && o.timing.Grace < leastGrace {
		return fmt.Errorf("--grace %v is less than %v, which killing CMD may take; give more", o.timing.Grace, leastGrace)
	}
	if err := o.timing.Check(); err != nil {
		return fmt.Errorf("--ttl %v does not go with --grace %v: %w", o.timing.TTL, o.timing.Grace, err)
	}
	o.timing = o.timing.Derive()
	return nil
}

// find looks the command up as a shell does.
func (o *runOptions) find() (int, error) {
	path, err := exec.LookPath(o.args[0])
	switch {
	case err == nil:
		o.path = path
		return 0, nil
	case errors.Is(err, exec.ErrDot):
		return statusNotFound, fmt.Errorf("%s is only in the current directory; write ./%s", o.args[0], o.args[0])
	case errors.Is(err, exec.ErrNotFound):
		return statusNotFound, fmt.Errorf("%s is not found in PATH; give its full path", o.args[0])
	case errors.Is(err, fs.ErrNotExist):
		return statusNotFound, fmt.Errorf("%s does not exist; check the path", o.args[0])
	case errors.Is(err, fs.ErrPermission):
		return statusNotRunnable, fmt.Errorf("%s is not executable; chmod +x it, or name its interpreter", o.args[0])
	default:
		return statusNotRunnable, fmt.Errorf("%s cannot be executed: %w", o.args[0], err)
	}
}

// environment is what the command gets: what tenure got, and what it needs to know of the term.
func (r *runner) environment(t *actor.Tenure) []string {
	own := []string{
		"TENURE_KEY=" + r.o.key,
		"TENURE_NAME=" + r.node.Holder().Name,
		"TENURE_TERM=" + t.Term().String(),
		"TENURE_TTL=" + r.o.timing.TTL.String(),
		"TENURE_SOCK=" + r.control.Path(),
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, name+"=") })
	})
	return append(env, own...)
}
