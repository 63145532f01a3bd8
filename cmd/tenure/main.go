package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
)

// command is one subcommand.
type command struct {
	name    string
	args    string // what follows the name in the usage line
	summary string
	about   string // the rest of the help text
	run     func(c *command, args []string, out io.Writer) (int, error)
	hidden  bool
}

func commands() []*command {
	return []*command{
		runCommand(), statusCommand(), watchCommand(), resignCommand(), checkCommand(), doctorCommand(), demoCommand(),
		simulateCommand(), auditCommand(),
		{name: "version", summary: "print the version", run: version},
		{name: "help", args: "[COMMAND]", summary: "explain a command", run: help},
		{name: "guard", hidden: true, run: func(*command, []string, io.Writer) (int, error) { return guard.Main(), nil }},
		demoWorkCommand(),
	}
}

func main() { os.Exit(command0(os.Args[1:], os.Stdout, os.Stderr)) }

// command0 runs the subcommand that args begin with and returns the exit code. Faults are one line on stderr.
func command0(args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(errs, `tenure: no command; "tenure help" lists them`)
		return statusUsage
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args[0] = "help"
	case "--version":
		args[0] = "version"
	}
	c := find(args[0])
	if c == nil {
		fmt.Fprintf(errs, "tenure: there is no command %q; \"tenure help\" lists them\n", args[0])
		return statusUsage
	}
	for _, a := range args[1:] {
		if a == "--" {
			break
		}
		if a == "-h" || a == "-help" || a == "--help" {
			explain(out, c)
			return 0
		}
	}
	status, err := c.run(c, args[1:], out)
	if err != nil {
		fmt.Fprintf(errs, "tenure %s: %s\n", c.name, oneLine(err))
	}
	return status
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}

func version(c *command, args []string, out io.Writer) (int, error) {
	if len(args) > 0 {
		return usage("it takes no arguments, but got %q", args[0])
	}
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	fmt.Fprintln(out, "tenure", v)
	return 0, nil
}

func help(_ *command, args []string, out io.Writer) (int, error) {
	if len(args) > 1 {
		return usage("it explains one command at a time; leave out %q", args[1])
	}
	if len(args) == 1 {
		c := find(args[0])
		if c == nil {
			return usage("there is no command %q; \"tenure help\" lists them", args[0])
		}
		explain(out, c)
		return 0, nil
	}
	fmt.Fprint(out, "tenure runs a program only while this process leads an election.\n\nCommands:\n\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(out, "  %-8s %s\n", c.name, c.summary)
		}
	}
	fmt.Fprintf(out, "\nStores:\n\n%s\n%s\n%s", store.Help(), storesHelp, statusHelp)
	return 0, nil
}

const storesHelp = `docs/stores has a page on each, with what it needs and all that may stand after the "?". Passwords
stand in TENURE_STORE, in files or in the environment, not in arguments, which every user of the
host can read.

ca=FILE names the authority that has signed the certificate of the server, if this host does not
trust it; cert=FILE and key=FILE are the client's own certificate (postgres: sslrootcert, sslcert
and sslkey, with sslmode=verify-full; kubernetes: ca-file).
`

func explain(out io.Writer, c *command) {
	fmt.Fprintf(out, "Usage: %s\n\n%s.\n", strings.TrimSpace("tenure "+c.name+" "+c.args), c.summary)
	if c.about != "" {
		fmt.Fprintf(out, "\n%s", c.about)
	}
}
