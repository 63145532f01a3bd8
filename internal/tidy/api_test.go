package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const apiReason = "whoever reviews a change must see what it does to users; " +
	"if it is meant, run: go test ./internal/tidy -update"

func TestTheListingOfTheExportedAPIIsUpToDate(t *testing.T) {
	golden := filepath.Join("testdata", "api")
	want := map[string]string{}
	for _, dir := range apiPackages(t) {
		listing, err := listAPI(filepath.Join("..", "..", filepath.FromSlash(dir)))
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		want[strings.ReplaceAll(dir, "/", "_")+".txt"] = "package " + module + "/" + dir + "\n" + listing
	}
	if *update {
		if err := rewrite(golden, want); err != nil {
			t.Fatal(err)
		}
		return
	}
	have := map[string]string{}
	names, err := filepath.Glob(filepath.Join(golden, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		have[filepath.Base(name)] = string(text)
	}
	report(t, "api-listing", apiReason, apiFaults(have, want))
}

// apiPackages returns the folders of the core's packages that users import.
func apiPackages(t *testing.T) []string {
	var dirs []string
	for _, f := range tree(t) {
		if f.ast == nil || f.test() || !f.core() || layer(f.dir()) < 0 || strings.Contains(f.dir()+"/", "/internal/") {
			continue
		}
		if !slices.Contains(dirs, f.dir()) {
			dirs = append(dirs, f.dir())
		}
	}
	return dirs
}

// apiFaults compares the listings on disk with those of the code, by file name.
func apiFaults(have, want map[string]string) []fault {
	var faults []fault
	for name, text := range want {
		if old, ok := have[name]; !ok {
			faults = append(faults, fault{name, "is missing"})
		} else if old != text {
			faults = append(faults, fault{name, "does not match the code:\n" + difference(old, text)})
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			faults = append(faults, fault{name, "lists a package that is gone"})
		}
	}
	slices.SortFunc(faults, func(a, b fault) int { return strings.Compare(a.where, b.where) })
	return faults
}

// difference shows the lines that only one of two texts has.
func difference(before, after string) string {
	var b strings.Builder
	only := func(sign, x, y string) {
		have := strings.Split(y, "\n")
		for _, line := range strings.Split(x, "\n") {
			if !slices.Contains(have, line) {
				fmt.Fprintf(&b, "%s %s\n", sign, line)
			}
		}
	}
	only("-", before, after)
	only("+", after, before)
	if b.Len() == 0 {
		return "the lines are the same, in another order or number\n"
	}
	return b.String()
}

func rewrite(folder string, listings map[string]string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, text := range listings {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// listAPI prints the exported declarations of the package in a folder, as compiled for Linux, without comments, bodies
// or the values of variables.
func listAPI(folder string) (string, error) {
	platform := build.Default
	platform.GOOS, platform.GOARCH = "linux", "amd64"
	fset := token.NewFileSet()
	var files []*ast.File
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if match, err := platform.MatchFile(folder, e.Name()); err != nil || !match {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(folder, e.Name()), nil, 0)
		if err != nil {
			return "", err
		}
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(fset, files, "p")
	if err != nil {
		return "", err
	}
	return printAPI(fset, pkg)
}

func printAPI(fset *token.FileSet, pkg *doc.Package) (string, error) {
	var out bytes.Buffer
	var nodes []ast.Node
	values := func(groups []*doc.Value) {
		for _, g := range groups {
			nodes = append(nodes, withoutValues(g.Decl))
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			f.Decl.Body = nil
			nodes = append(nodes, f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		nodes = append(nodes, typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	for _, n := range nodes {
		var decl bytes.Buffer
		if err := format.Node(&decl, fset, n); err != nil {
			return "", err
		}
		// The lines that comments stood on are left empty.
		out.WriteString("\n" + regexp.MustCompile(`\n(\s*\n)+`).ReplaceAllString(decl.String(), "\n") + "\n")
	}
	return out.String(), nil
}

// withoutValues drops what variables are set to; the value of a constant is part of the API.
func withoutValues(d *ast.GenDecl) *ast.GenDecl {
	if d.Tok == token.VAR {
		for _, s := range d.Specs {
			s.(*ast.ValueSpec).Values = nil
		}
	}
	return d
}
