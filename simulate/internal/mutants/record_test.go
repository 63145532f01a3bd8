package mutants

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/simulate"
)

// playThis is the environment variable with the record that is to be played.
const playThis = "TENURE_MUTANTS_RECORD"

// records are the scripts of faults of the election that were found and mended.
func records(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root(t), "simulate", "testdata", "record", "*.scenario"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	return paths
}

var (
	namesMutant = regexp.MustCompile(`(?m)^# mutant: (.+)$`)
	namesRule   = regexp.MustCompile(`(?m)^# breaks: (.+)$`)
)

// TestRecordsOfFaultsThatWereMendedAreClean plays every record, or, built with a mutant, the one that it is told.
func TestRecordsOfFaultsThatWereMendedAreClean(t *testing.T) {
	paths := records(t)
	if one := os.Getenv(playThis); one != "" {
		paths = []string{one}
	}
	for _, path := range paths {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := simulate.Parse(strings.NewReader(string(script)))
		if err != nil {
			t.Fatal(err)
		}
		trace, err := simulate.Play(s)
		if err != nil {
			t.Fatal(err)
		}
		if trace.Violation.Rule != "" {
			t.Errorf("%s: %s", filepath.Base(path), trace.Violation)
		}
	}
}

// TestEachRecordStillShowsTheFaultThatItIsOf puts the fault back, as a mutant, and plays the record.
func TestEachRecordStillShowsTheFaultThatItIsOf(t *testing.T) {
	for _, path := range records(t) {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named, rule := namesMutant.FindSubmatch(script), namesRule.FindSubmatch(script)
		if named == nil || rule == nil {
			t.Errorf("%s does not say which mutant puts its fault back, and which rule that breaks", path)
			continue
		}
		at := slices.IndexFunc(mutants, func(m mutant) bool { return m.name == string(named[1]) })
		if at < 0 {
			t.Errorf("%s: there is no mutant %q", path, named[1])
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		bin := mutants[at].build(ctx, t, t.TempDir())
		play := exec.CommandContext(ctx, bin, "-test.run", "^TestRecordsOfFaultsThatWereMendedAreClean$")
		play.Env = append(os.Environ(), playThis+"="+path)
		out, err := play.CombinedOutput()
		if want := filepath.Base(path) + ": " + string(rule[1]) + " at "; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("with its fault, %s breaks no %s: %v\n%s", path, rule[1], err, out)
		}
	}
}
