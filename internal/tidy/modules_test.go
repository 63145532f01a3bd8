package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// coreRequires is everything that the core's go.mod may name: two modules for users, two for tests.
var coreRequires = []string{
	"github.com/anishathalye/porcupine",
	"github.com/benbjohnson/clock",
	"github.com/looplab/fsm",
	"go.uber.org/goleak",
}

func TestTheCoreRequiresTwoModulesAndTwoForItsTests(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, "core-go-mod", "every requirement of the core is one more module in the build of each user",
		coreGoMod(string(src)))
}

// requirement matches one line of a require block or a single require directive.
var requirement = regexp.MustCompile(`^\s*(?:require\s+)?([a-z0-9][\w.-]*\.[\w.-]+/\S+)\s+v\S+`)

func coreGoMod(src string) []fault {
	var faults []fault
	for line := range strings.Lines(src) {
		m := requirement.FindStringSubmatch(line)
		if m != nil && !slices.Contains(coreRequires, m[1]) {
			faults = append(faults, fault{"go.mod", "requires " + m[1]})
		}
	}
	return faults
}

// Programs that tests run are pinned in modules of their own and built without the workspace: what they require would
// otherwise decide what the rest is built with.
func TestTheWorkspaceListsEveryModule(t *testing.T) {
	var mods []string
	for _, f := range tree(t) {
		if strings.HasSuffix(f.path, "/go.mod") && !strings.HasPrefix(f.path, "internal/servers/programs/") {
			mods = append(mods, f.dir())
		}
	}
	src, err := os.ReadFile(filepath.Join("..", "..", "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, "workspace", "make test and make check go over the modules of go.work; one that is not listed is not tested",
		unlisted(string(src), mods))
}

// unlisted returns the modules that a go.work file does not use.
func unlisted(work string, mods []string) []fault {
	var faults []fault
	for _, m := range mods {
		if !regexp.MustCompile(`(?m)^\s*(use\s+)?\./` + regexp.QuoteMeta(m) + `\s*$`).MatchString(work) {
			faults = append(faults, fault{"go.work", "does not use ./" + m + "; run go work use ./" + m})
		}
	}
	return faults
}
