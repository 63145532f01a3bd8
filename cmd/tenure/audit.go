package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-tenure/tenure/simulate"
)

func auditCommand() *command {
	return &command{
		name: "audit", args: "[--tolerance D] [--strict] [FILE...]",
		summary: "check what nodes wrote with --events json", run: audit,
		about: "It reads the events of any number of nodes, one file for all or one for each, or standard input,\n" +
			"and checks: the numbers of each node's events, that its moves are possible and follow each other,\n" +
			"that each tenure begins and ends once, that no two tenures have one term and that terms rise. By\n" +
			"the wall clocks of the hosts, and so as a warning only: that no two nodes led at once. It also\n" +
			"lists work that overran, and events that are missing.\n\n" +
			"  --tolerance D  by how much the clocks of hosts may differ; default 1s\n" +
			"  --strict       exit with 1 on warnings, too\n\n" +
			"It exits with 0 if all is well; with 1 if not; with 64 if a file cannot be read or a line is no\n" +
			"event.\n",
	}
}

func audit(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	tolerance := f.Duration("tolerance", time.Second, "")
	strict := f.Bool("strict", false, "")
	files, err := f.mixed(args)
	if err != nil {
		return statusUsage, err
	}
	if *tolerance <= 0 {
		return usage("--tolerance %v is not positive; give at least what the clocks of hosts may differ by", *tolerance)
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	a := simulate.Auditor{Tolerance: *tolerance}
	met := map[string]bool{}
	for _, path := range files {
		if met[path] {
			return usage("%q is given twice; its events would follow themselves", path)
		}
		met[path] = true
		if err := auditFile(&a, path); err != nil {
			return statusUsage, plain(err)
		}
	}
	r := a.Report()
	fmt.Fprint(out, r)
	if r.Faults() > 0 || *strict && len(r.Findings) > 0 {
		return statusNo, nil
	}
	return 0, nil
}

func auditFile(a *simulate.Auditor, path string) error {
	if path == "-" {
		return a.Read("", os.Stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w; give a file that `tenure run --events json:FILE` wrote", err)
	}
	defer file.Close()
	return a.Read(path, file)
}

// plain leaves out of an error which package says it.
func plain(err error) error {
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "simulate: ", ""))
}
