// Package mutants breaks the election, the register algorithm and the simulated stores on purpose, one thing at a time,
// and demands that the engines of package simulate notice. It has no code to import.
package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/overlay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the table of mutants to docs/SIMULATION.md")

// A mutant is the project with one fault.
type mutant struct {
	name string
	file string // below the root of the module
	old  string // occurs exactly once in file
	new  string
}

// TestEveryMutantIsKilled builds the judge of verdict_test.go once for each mutant, with one file changed, and runs it.
// Without a change it must find nothing.
func TestEveryMutantIsKilled(t *testing.T) {
	began := time.Now()
	readAll(t)
	all := append([]mutant{{name: "none"}}, mutants...)
	verdicts := make([]verdict, len(all))
	t.Run("each", func(t *testing.T) {
		for i, m := range all {
			t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				verdicts[i] = m.judge(t)
			})
		}
	})
	if v := verdicts[0]; v.Schedules.Rule != "" || v.Worlds.Rule != "" {
		t.Errorf("the election itself is found guilty: %+v", v)
	}
	for i, v := range verdicts[1:] {
		if m := mutants[i]; v.Schedules.Rule == "" && v.Worlds.Rule == "" {
			t.Errorf("%s: %s: nothing notices\n\t- %s\n\t+ %s", m.file, m.name, m.old, m.new)
		}
	}
	t.Logf("%d mutants, %v", len(mutants), time.Since(began).Round(time.Second))
	if !t.Failed() {
		compare(t, table(verdicts))
	}
}

// judge builds the judge with m in place of what it changes and returns the verdict.
func (m *mutant) judge(t *testing.T) (v verdict) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	bin := m.build(ctx, t, dir)
	answer := filepath.Join(dir, "verdict.json")
	run := exec.CommandContext(ctx, bin, "-test.run", "^TestTheElectionItselfIsFoundNotGuilty$", "-test.timeout", "2m")
	run.Env = append(os.Environ(), answerTo+"="+answer)
	out, err := run.CombinedOutput()
	raw, unread := os.ReadFile(answer)
	if unread != nil {
		t.Fatalf("no verdict: %v\n%s", errors.Join(err, unread), out)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// build builds the judge with m in dir.
func (m *mutant) build(ctx context.Context, t *testing.T, dir string) (bin string) {
	t.Helper()
	bin = filepath.Join(dir, "judge.test")
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", bin}
	if m.file != "" {
		args = append(args, "-overlay", m.overlay(t, dir))
	}
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// overlay writes the mutant's source and the file that tells the compiler to take it instead.
func (m *mutant) overlay(t *testing.T, dir string) string {
	t.Helper()
	file, err := overlay.Write(dir, filepath.Join(root(t), filepath.FromSlash(m.file)), m.old, m.new)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return file
}

// table is what the documentation shows of the verdicts.
func table(verdicts []verdict) string {
	var b strings.Builder
	b.WriteString("| mutant | of | schedules | small worlds |\n|---|---|---|---|\n")
	for i, m := range mutants {
		v := verdicts[i+1]
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", m.name, m.file, v.Schedules.text("schedule"), v.Worlds.text("state"))
	}
	return b.String()
}

// text says which rule was found broken and after how many of unit.
func (f finding) text(unit string) string {
	if f.Rule == "" {
		return "-"
	}
	if f.Cost != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%s, %d %s", f.Rule, f.Cost, unit)
}

const (
	from = "<!-- mutants: written by go test ./simulate/internal/mutants -update -->\n"
	to   = "<!-- end of mutants -->\n"
)

// compare fails unless the documentation shows want; with -update it writes it there.
func compare(t *testing.T, want string) {
	t.Helper()
	path := filepath.Join(root(t), "docs", "SIMULATION.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(raw, []byte(from))
	got, tail, ok2 := bytes.Cut(rest, []byte(to))
	switch {
	case !ok || !ok2:
		t.Fatalf("%s does not have the lines %q and %q", path, from, to)
	case string(got) == want:
	case *update:
		text := string(head) + from + want + to + string(tail)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/SIMULATION.md shows other verdicts; if these are right, write them there with -update\n%s", want)
	}
}

// readAll reads what this test depends on, which is how go test learns when its result may not be taken from the cache.
func readAll(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"lease", "fsm", "simulate"} {
		err := filepath.WalkDir(filepath.Join(root(t), dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(name) != ".go" {
				return err
			}
			_, err = os.ReadFile(name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
