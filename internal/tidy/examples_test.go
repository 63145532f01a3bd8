package tidy

import (
	"slices"
	"strings"
	"testing"
)

// violations has, for each rule about single files, files that break it and files that look as if they did.
var violations = map[string]struct{ bad, good []sample }{
	"import-order": {
		bad: []sample{
			{"fsm/a.go", `package fsm; import _ "github.com/go-tenure/tenure/actor"`},
			{"events/a.go", `package events; import _ "github.com/go-tenure/tenure/simulate"`},
			{"lease/a.go", `package lease; import _ "github.com/go-tenure/tenure/lease/memory"`},
			{"lease/memory/a.go", `package memory; import _ "github.com/go-tenure/tenure/fsm"`},
			{"actor/a.go", `package actor; import _ "github.com/go-tenure/tenure"`},
			{"actor/a.go", `package actor; import _ "github.com/go-tenure/tenure/helpers"`},
			{"internal/x/a.go", `package x; import _ "github.com/go-tenure/tenure/events"`},
		},
		good: []sample{
			{"actor/a.go", `package actor; import _ "github.com/go-tenure/tenure/fsm"`},
			{"simulate/a.go", `package simulate; import _ "github.com/go-tenure/tenure/actor"`},
			{"lease/file/a.go", `package file; import _ "github.com/go-tenure/tenure/lease/register"`},
			{"lease/file/a.go", `package file; import _ "github.com/go-tenure/tenure/internal/x"`},
			{"fsm/a_test.go", `package fsm; import _ "github.com/go-tenure/tenure/actor"`},
		},
	},
	"core-imports": {
		bad: []sample{
			{"actor/a.go", `package actor; import _ "golang.org/x/sync/errgroup"`},
			{"lease/a.go", `package lease; import _ "github.com/benbjohnson/clock"`},
			{"actor/a.go", `package actor; import _ "testing"`},
			{"lease/memory/a.go", `package memory; import _ "github.com/anishathalye/porcupine"`},
		},
		good: []sample{
			{"actor/a.go", `package actor; import _ "github.com/looplab/fsm"`},
			{"lease/leasetest/a.go", `package leasetest; import _ "testing"`},
			{"actor/a_test.go", `package actor; import _ "go.uber.org/goleak"`},
		},
	},
	"pure-core": {
		bad: []sample{
			{"fsm/fsm.go", "package fsm\nfunc f() { go f() }"},
			{"fsm/fsm.go", "package fsm\nvar c chan int"},
			{"fsm/fsm.go", "package fsm\nvar m map[string]int"},
			{"fsm/fsm.go", `package fsm; import _ "math/rand/v2"`},
			{"fsm/timing.go", `package fsm; import _ "context"`},
			{"fsm/timing.go", "package fsm\nimport t \"time\"\nvar x = t.Now()"},
		},
		good: []sample{
			{"fsm/fsm.go", "package fsm\nimport \"time\"\nvar x = 3 * time.Second"},
			{"fsm/table.go", "package fsm\nimport _ \"github.com/looplab/fsm\"\nvar m map[string]int"},
		},
	},
	"one-clock": {
		bad: []sample{
			{"actor/a.go", "package actor\nimport \"time\"\nfunc f() { time.Sleep(1) }"},
			{"lease/memory/a.go", "package memory\nimport \"time\"\nvar f = time.Now"},
		},
		good: []sample{
			{"actor/a.go", "package actor\nimport \"time\"\nvar d = time.Unix(0, 0)"},
			{"lease/file/a.go", "package file\nimport \"time\"\nvar f = time.Now"},
		},
	},
	"function-length": {
		bad:  []sample{{"actor/a.go", "package actor\nfunc f() {\n" + strings.Repeat("\tf()\n", 69) + "}\n"}},
		good: []sample{{"actor/a.go", "package actor\nfunc f() {\n" + strings.Repeat("\tf()\n", 68) + "}\n"}},
	},
	"line-length": {
		bad:  []sample{{"actor/a_test.go", "package actor\n// " + strings.Repeat("é", 118) + "\n"}},
		good: []sample{{"actor/a_test.go", "package actor\n// " + strings.Repeat("é", 117) + "\n"}},
	},
	"file-length": {
		bad: []sample{
			{"actor/a.go", "package actor\n" + strings.Repeat("//\n", 400)},
			{"fsm/fsm.go", "package fsm\n" + strings.Repeat("//\n", 299)},
		},
		good: []sample{
			{"actor/a.go", "package actor\n" + strings.Repeat("//\n", 399)},
			{"fsm/fsm.go", "package fsm\n" + strings.Repeat("//\n", 298)},
		},
	},
	"no-init": {
		bad: []sample{
			{"actor/a.go", "package actor\nfunc init() {}"},
			{"actor/a.go", "package actor\nimport _ \"net/http/pprof\""},
		},
		good: []sample{{"actor/a.go", "package actor\nimport _ \"embed\"\ntype T int\nfunc (T) init() {}"}},
	},
	"no-context-in-struct": {
		bad: []sample{{"actor/a.go", "package actor\nimport \"context\"\ntype T struct { ctx context.Context }"}},
		good: []sample{
			{"actor/a.go", "package actor\nimport \"context\"\ntype T struct { f func(context.Context) }"},
			{"actor/a.go", "package actor\nimport \"context\"\ntype T struct { context.Context }"},
		},
	},
	"field-words": {
		bad: []sample{
			{"actor/a.go", "package actor\n// f elects a master.\nfunc f() {}"},
			{"actor/a.go", "package actor\nvar isPrimaryNode bool"},
			{"actor/a_test.go", "package actor\nfunc f(candidates int) {}"},
			{"actor/a.go", "package actor\nvar newSLAVE, SLAVENode int"},
		},
		good: []sample{
			{"actor/a.go", "package actor\n// f is a mastermind, to remaster.\nfunc f() {}"},
			{"actor/a.go", "package actor\nvar x = y.MasterURL\nvar z = t{Candidate: 1}"},
			{"actor/a.go", "package actor\nvar s = \"PRIMARY KEY\""},
		},
	},
	"no-open-ends": {
		bad: []sample{
			{"Makefile", "# TO" + "DO: more"},
			{"actor/a.go", "package actor\n// FIX" + "ME\n"},
		},
		good: []sample{{"README.md", "todo lists are for people"}},
	},
	"no-machine-paths": {
		bad: []sample{
			{"README.md", "see /home" + "/ann/notes"},
			{".ci/run", "cd /wo" + "rk/main"},
			{"a.go", "package a\nvar p = \"/ro" + "ot/go\""},
		},
		good: []sample{{"README.md", "file:/var/lib/tenure, example.org/home/x, docs/work/a and the /root of a tree"}},
	},
	"no-skip": {
		bad: []sample{
			{"actor/a_test.go", "package actor\nfunc f(t *testing.T) { t.Skip(\"later\") }"},
			{"lease/leasetest/a.go", "package leasetest\nimport \"testing\"\nfunc f(t *testing.T) { t.SkipNow() }"},
		},
		good: []sample{
			{"a/a_test.go", "package a\nvar x = filepath.SkipDir"},
			{"a/a.go", "package a\nfunc f(r reader) { r.Skip(3) }"},
		},
	},
	"no-leak-exceptions": {
		bad: []sample{{"a/a_test.go", "package a\nimport \"go.uber.org/goleak\"\nvar x = goleak.IgnoreCurrent()"}},
		good: []sample{
			{"a/a_test.go", "package a\nimport \"go.uber.org/goleak\"\nfunc f(m *testing.M) { goleak.VerifyTestMain(m) }"},
		},
	},
}

// A sample is the name and the text of a file.
type sample struct{ name, src string }

func (s sample) file(t *testing.T) *file {
	t.Helper()
	f, err := parse(s.name, s.src)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return f
}

func TestEveryRuleFindsWhatBreaksItAndNothingElse(t *testing.T) {
	for _, r := range fileRules {
		v, ok := violations[r.name]
		if !ok || len(v.bad) == 0 || len(v.good) == 0 {
			t.Errorf("rule %s has no example of what breaks it and of what does not", r.name)
		}
		for _, s := range v.bad {
			if len(r.check(s.file(t))) == 0 {
				t.Errorf("rule %s finds nothing in %s:\n%s", r.name, s.name, s.src)
			}
		}
		for _, s := range v.good {
			if faults := r.check(s.file(t)); len(faults) > 0 {
				t.Errorf("rule %s finds %v in %s:\n%s", r.name, faults, s.name, s.src)
			}
		}
	}
}

func TestAFileOfAnotherModuleMayImportWhatItLikes(t *testing.T) {
	f := sample{"bench/a.go", `package bench; import _ "k8s.io/client-go/tools/leaderelection"`}.file(t)
	f.mod = moduleOf(f.path, []string{".", "bench", "bench/inner"})
	if faults := coreImports(f); f.mod != "bench" || len(faults) > 0 {
		t.Errorf("module %s, faults %v", f.mod, faults)
	}
}

func TestRulesAboutPackagesFindWhatBreaksThem(t *testing.T) {
	leaky := sample{"a/a_test.go", "package a\nfunc TestX(t *testing.T) {}"}
	optioned := sample{"a/a_test.go",
		"package a\nimport \"go.uber.org/goleak\"\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m, nil) }"}
	clean := sample{"a/a_test.go",
		"package a\nimport \"go.uber.org/goleak\"\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m) }"}
	bare := sample{"a/a.go", "package a\nfunc F() {}\ntype T int\nfunc (T) M() {}"}
	told := sample{"a/b.go",
		"// Package a is.\npackage a\n// F does.\nfunc F() {}\n// T is.\ntype T int\n// M does.\nfunc (T) M() {}"}
	cases := []struct {
		name  string
		files []sample
		check func(string, []*file) []fault
		want  int
	}{
		{"tests without a leak check", []sample{leaky}, leakCheck, 1},
		{"a leak check with options", []sample{optioned}, leakCheck, 1},
		{"a leak check", []sample{leaky, clean}, leakCheck, 0},
		{"no tests", []sample{bare}, leakCheck, 0},
		{"no package comment", []sample{bare}, packageComment, 1},
		{"a package comment", []sample{bare, told}, packageComment, 0},
		{"two package comments", []sample{told, told}, packageComment, 1},
		{"names without comments", []sample{bare}, docComment, 3},
		{"names with comments in one of two twins", []sample{bare, told}, docComment, 0},
	}
	for _, c := range cases {
		var files []*file
		for _, s := range c.files {
			files = append(files, s.file(t))
		}
		if faults := c.check("a", files); len(faults) != c.want {
			t.Errorf("%s: %d faults, want %d: %v", c.name, len(faults), c.want, faults)
		}
	}
}

func TestTheModuleRulesFindAStrangerAndAnUnlistedModule(t *testing.T) {
	mod := "module " + module + "\n\nrequire go.uber.org/goleak v1.3.0\n\n" +
		"require (\n\tgolang.org/x/sync v0.1.0 // indirect\n)\n"
	if faults := coreGoMod(mod); len(faults) != 1 || !strings.Contains(faults[0].what, "x/sync") {
		t.Errorf("faults %v, want one about x/sync", faults)
	}
	if faults := unlisted("go 1.26.0\nuse (\n\t.\n\t./bench\n)\n", []string{"bench", "ben"}); len(faults) != 1 {
		t.Errorf("faults %v, want one about ben", faults)
	}
}

func TestTheReadmeRuleComparesBlocksWithExamplesAndFiles(t *testing.T) {
	example := sample{"lease/memory/a_test.go",
		"package memory_test\n\nfunc ExampleF() {\n\tf(func() {\n\t\tg()\n\t})\n\t// Output:\n\t// 1\n}\n"}
	files := []*file{example.file(t), sample{"examples/x/main.go", "package main\n\nfunc main() {}\n"}.file(t)}
	const f = "<!-- example: lease/memory.ExampleF -->\n\n```go\nf(func() {\n\tg()\n})\n"
	cases := []struct {
		name, text string
		want       int
	}{
		{"the body", f + "```\n", 0},
		{"the body and what it prints", f + "// Output:\n// 1\n```", 0},
		{"another body", "<!-- example: lease/memory.ExampleF -->\n```go\nf(nil)\n```\n", 1},
		{"no such example", "<!-- example: lease/memory.ExampleG -->\n```go\nf(nil)\n```\n", 1},
		{"no mark", "Text.\n```go\nf(nil)\n```\n", 1},
		{"a file", "<!-- file: examples/x/main.go -->\n```go\npackage main\n\nfunc main() {}\n```\n", 0},
		{"no such file", "<!-- file: examples/y/main.go -->\n```go\npackage main\n```\n", 1},
		{"a block that is not Go", "```sh\nmake test\n```\n", 0},
	}
	for _, c := range cases {
		if faults := readmeFaults(goBlocks(c.text), files); len(faults) != c.want {
			t.Errorf("%s: %v, want %d faults", c.name, faults, c.want)
		}
	}
}

func TestTheLinkRuleFollowsRelativeLinksOnly(t *testing.T) {
	f := sample{"docs/a.md", "[a](b.md#c) [b](https://example.org/x) [c](#d) [d](../README.md) [e](gone.md)"}.file(t)
	exists := func(name string) bool { return slices.Contains([]string{"docs/b.md", "README.md"}, name) }
	if faults := deadLinks(f, exists); len(faults) != 1 || !strings.Contains(faults[0].what, "gone.md") {
		t.Errorf("faults %v, want one about gone.md", faults)
	}
}

func TestTheAPIRuleNamesWhatChanged(t *testing.T) {
	have := map[string]string{"a.txt": "func A()\nfunc B()\n", "gone.txt": ""}
	want := map[string]string{"a.txt": "func A()\nfunc C()\n", "new.txt": ""}
	faults := apiFaults(have, want)
	var places []string
	for _, f := range faults {
		places = append(places, f.where)
	}
	if !slices.Equal(places, []string{"a.txt", "gone.txt", "new.txt"}) {
		t.Fatalf("faults at %v", places)
	}
	if !strings.Contains(faults[0].what, "- func B()") || !strings.Contains(faults[0].what, "+ func C()") {
		t.Errorf("the first fault does not show the lines: %s", faults[0].what)
	}
}
