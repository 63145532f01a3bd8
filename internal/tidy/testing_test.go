package tidy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

var testRules = []rule{
	{"no-skip", "a test that is skipped proves nothing and looks green", noSkip},
	{"no-leak-exceptions", "an ignore list hides the next leak behind the last one", noLeakExceptions},
}

// noSkip looks at tests and at conformance suites, which are production files.
func noSkip(f *file) []fault {
	if f.ast == nil || !f.test() && !importsPath(f, "testing") {
		return nil
	}
	var faults []fault
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				faults = append(faults, f.at(call.Pos(), "calls %s", sel.Sel.Name))
			}
		}
		return true
	})
	return faults
}

func noLeakExceptions(f *file) []fault {
	if f.ast == nil {
		return nil
	}
	var faults []fault
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if ok && isPackage(f, sel.X, "go.uber.org/goleak") && strings.HasPrefix(sel.Sel.Name, "Ignore") {
			faults = append(faults, f.at(sel.Pos(), "uses goleak.%s", sel.Sel.Name))
		}
		return true
	})
	return faults
}

func TestEveryTestedPackageLooksForLeakedGoroutines(t *testing.T) {
	report(t, "leak-check", "a goroutine that outlives a test is work that goes on after its leadership has ended",
		packageFaults(tree(t), leakCheck))
}

// leakCheck wants goleak.VerifyTestMain(m), without options, in a package that has tests.
func leakCheck(dir string, files []*file) []fault {
	tested, checked := false, false
	for _, f := range files {
		if !f.test() {
			continue
		}
		tested = true
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			checked = checked || ok && isPackage(f, sel.X, "go.uber.org/goleak") && sel.Sel.Name == "VerifyTestMain"
			return true
		})
	}
	if tested && !checked {
		return []fault{{dir, "has tests, but no TestMain that calls goleak.VerifyTestMain(m) without options"}}
	}
	return nil
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	report(t, "package-comment", "the package comment is where the design lives on",
		packageFaults(tree(t), packageComment))
}

// packageComment wants one comment on the package clause of a package; a second one would be glued to the first.
func packageComment(dir string, files []*file) []fault {
	n, production := 0, false
	for _, f := range files {
		production = production || !f.test()
		if f.ast.Doc != nil && !strings.HasSuffix(f.ast.Name.Name, "_test") {
			n++
		}
	}
	if production && n != 1 {
		return []fault{{dir, "has package comments in " + plural(n) + "; want one"}}
	}
	return nil
}

func plural(n int) string {
	return []string{"no file", "one file", "several files"}[min(n, 2)]
}
