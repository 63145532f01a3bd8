// Package tidy holds the house rules as tests: what a reviewer would otherwise have to say again and again. It has no
// code to import. Each rule is a function over one file, one package or the whole tree that returns faults; each fault
// says the rule and its reason, and each rule has an example of what it must find, so that no rule can pass by being
// broken.
package tidy

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// module is the import path of the core module.
const module = "github.com/go-tenure/tenure"

// update rewrites testdata/api instead of comparing with it.
var update = flag.Bool("update", false, "rewrite the listing of the exported API in testdata/api")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A file is one file of the repository.
type file struct {
	path string // from the root of the repository, with slashes
	mod  string // the folder of the module it belongs to, "." for the core
	src  string
	fset *token.FileSet
	ast  *ast.File // nil unless this is Go code
}

// dir is the folder of the file, "." for the root.
func (f *file) dir() string { return path.Dir(f.path) }

// test reports whether the file belongs to tests alone.
func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// core reports whether the file is part of the core module.
func (f *file) core() bool { return f.mod == "." }

// line is the line number of pos.
func (f *file) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// at returns a fault at pos.
func (f *file) at(pos token.Pos, format string, args ...any) fault {
	return fault{fmt.Sprintf("%s:%d", f.path, f.line(pos)), fmt.Sprintf(format, args...)}
}

// A fault is one place where a rule is broken.
type fault struct{ where, what string }

// A rule is one house rule about single files.
type rule struct {
	name   string
	reason string
	check  func(*file) []fault
}

// fileRules are checked against every file; the examples in examples_test.go show what each must find.
var fileRules = slices.Concat(importRules, shapeRules, wordRules, testRules)

func TestEveryFileKeepsTheHouseRules(t *testing.T) {
	for _, r := range fileRules {
		var faults []fault
		for _, f := range tree(t) {
			faults = append(faults, r.check(f)...)
		}
		report(t, r.name, r.reason, faults)
	}
}

// report fails the test if there are faults: the rule, its reason, and each place.
func report(t *testing.T, name, reason string, faults []fault) {
	t.Helper()
	if len(faults) == 0 {
		return
	}
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&b, "\n\t%s: %s", f.where, f.what)
	}
	t.Errorf("rule %s: %s%s", name, reason, b.String())
}

// tree returns every file that rules look at: Go code, prose, and what builds and checks it.
func tree(t *testing.T) []*file {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	return files
}

var readTree = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	var mods []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if skipDir(rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Base(rel) == "go.mod" {
			mods = append(mods, path.Dir(rel))
		}
		if !looksAt(rel) {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parse(rel, string(src))
		files = append(files, f)
		return err
	})
	for _, f := range files {
		f.mod = moduleOf(f.path, mods)
	}
	return files, err
})

// parse makes a file of the core module out of its text.
func parse(name, src string) (*file, error) {
	f := &file{path: name, mod: ".", src: src}
	if path.Ext(name) != ".go" {
		return f, nil
	}
	f.fset = token.NewFileSet()
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, src, parser.ParseComments)
	return f, err
}

// skipDir leaves out what is not ours to judge: version control, built programs, test data.
func skipDir(rel string) bool {
	base := path.Base(rel)
	return base == "testdata" || base == "node_modules" || rel == "bin" ||
		strings.HasPrefix(base, ".") && !slices.Contains([]string{".", ".ci", ".github"}, base)
}

func looksAt(rel string) bool {
	switch path.Base(rel) {
	case "Makefile", "go.mod", "go.work", "LICENSE":
		return true
	}
	return slices.Contains([]string{".go", ".md", ".yml", ".yaml", ".sh"}, path.Ext(rel)) || path.Dir(rel) == ".ci"
}

// moduleOf returns the innermost of the modules' folders that holds the file.
func moduleOf(name string, mods []string) string {
	best := "."
	for _, m := range mods {
		if strings.HasPrefix(name, m+"/") && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// packageFaults gathers what check finds in each folder that holds Go files.
func packageFaults(files []*file, check func(dir string, files []*file) []fault) []fault {
	byDir := map[string][]*file{}
	for _, f := range files {
		if f.ast != nil {
			byDir[f.dir()] = append(byDir[f.dir()], f)
		}
	}
	var faults []fault
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		faults = append(faults, check(dir, byDir[dir])...)
	}
	return faults
}

// where is a place by line number, for files that are not Go code.
func where(f *file, line int) string { return fmt.Sprintf("%s:%d", f.path, line) }
