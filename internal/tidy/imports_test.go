package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

var importRules = []rule{
	{"import-order", "packages are read from left to right, lease, fsm, events, actor, simulate, and each must be " +
		"understood without those to its right", importOrder},
	{"core-imports", "whoever imports the core gets looplab/fsm and benbjohnson/clock and nothing else; " +
		"a third-party client belongs in a module of its own", coreImports},
	{"pure-core", "the election is a value and a function: the same step runs in production, in the simulator and in " +
		"the model checker only while nothing in it waits, draws or depends on map order", pureCore},
	{"one-clock", "time comes from the injected clock alone, or the simulator and clock.Mock cannot drive the package",
		oneClock},
}

// layers is the reading order. A package imports packages of its own layer's folder and of those to the left.
var layers = []string{"lease", "fsm", "events", "actor", "simulate"}

// onlyForTests is what no production code imports, and may so stand to the right of everything.
const onlyForTests = "internal/contest"

// importOrder looks at production code: a test may use a later package to show an earlier one at work.
func importOrder(f *file) []fault {
	var faults []fault
	for _, spec := range coreProduction(f) {
		to, inside := strings.CutPrefix(importPath(spec), module)
		if !inside {
			continue
		}
		to = strings.TrimPrefix(to, "/")
		switch fromLayer, toLayer := layer(f.dir()), layer(to); {
		case to == "":
			faults = append(faults, f.at(spec.Pos(), "imports the root of the module, which holds no code"))
		case f.dir() == "lease":
			faults = append(faults, f.at(spec.Pos(), "package lease imports %s; it is the leftmost", to))
		case strings.HasPrefix(to, "internal/"):
			if strings.HasPrefix(to, "internal/tidy") {
				faults = append(faults, f.at(spec.Pos(), "imports the house rules"))
			}
			if to == onlyForTests {
				faults = append(faults, f.at(spec.Pos(), "imports %s, which is only for tests", to))
			}
		case toLayer < 0:
			faults = append(faults, f.at(spec.Pos(), "%s has no place in the order %v", to, layers))
		case strings.HasPrefix(f.dir(), "internal/") && f.dir() != onlyForTests && toLayer > 0:
			faults = append(faults, f.at(spec.Pos(), "%s imports %s; an internal package serves all layers", f.dir(), to))
		case toLayer > fromLayer && !strings.HasPrefix(f.dir(), "internal/"):
			faults = append(faults, f.at(spec.Pos(), "%s imports %s, which stands to its right", f.dir(), to))
		}
	}
	return faults
}

// layer returns where a folder of the core stands in the order, -1 if it has no place.
func layer(dir string) int { return slices.Index(layers, strings.Split(dir, "/")[0]) }

// thirdParty says who may import what from outside, besides the standard library.
var thirdParty = map[string][]string{
	"github.com/looplab/fsm": {"fsm", "actor"},
	"github.com/benbjohnson/clock": {
		"lease/memory", "lease/register", "lease/file", "lease/leasetest", "events", "actor", "simulate",
	},
	"github.com/anishathalye/porcupine": {"lease/leasetest"},
	"testing":                           {"lease/leasetest", "simulate", onlyForTests},
}

func coreImports(f *file) []fault {
	var faults []fault
	for _, spec := range coreProduction(f) {
		to := importPath(spec)
		who, known := thirdParty[to]
		switch {
		case known && !within(f.dir(), who):
			faults = append(faults, f.at(spec.Pos(), "imports %s, which is for %v", to, who))
		case !known && strings.Contains(strings.Split(to, "/")[0], ".") &&
			to != module && !strings.HasPrefix(to, module+"/"):
			faults = append(faults, f.at(spec.Pos(), "imports %s", to))
		}
	}
	return faults
}

// within reports whether dir is one of dirs or inside one.
func within(dir string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return dir == d || strings.HasPrefix(dir, d+"/") })
}

// pureImports are the packages that the pure files of fsm may import: values and text.
var pureImports = []string{
	"cmp", "errors", "fmt", "iter", "math", "math/bits", "slices", "strconv", "strings", "time", module + "/lease",
}

// pureCore looks at package fsm, but for the files that declare the table on looplab/fsm.
func pureCore(f *file) []fault {
	if f.ast == nil || f.test() || f.dir() != "fsm" || importsPath(f, "github.com/looplab/fsm") {
		return nil
	}
	var faults []fault
	for _, spec := range f.ast.Imports {
		if !slices.Contains(pureImports, importPath(spec)) {
			faults = append(faults, f.at(spec.Pos(), "imports %s", importPath(spec)))
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			faults = append(faults, f.at(n.Pos(), "starts a goroutine"))
		case *ast.ChanType:
			faults = append(faults, f.at(n.Pos(), "has a channel"))
		case *ast.SelectStmt:
			faults = append(faults, f.at(n.Pos(), "selects"))
		case *ast.MapType:
			faults = append(faults, f.at(n.Pos(), "has a map"))
		}
		return true
	})
	return append(faults, realTime(f)...)
}

// oneClock looks at the packages that must run under the simulator. lease/file and lease/leasetest deal with real
// processes and a real disk.
func oneClock(f *file) []fault {
	virtual := []string{"lease/memory", "lease/register", "fsm", "events", "actor", "simulate"}
	if f.ast == nil || f.test() || !f.core() || !within(f.dir(), virtual) {
		return nil
	}
	return realTime(f)
}

// realTime finds uses of the time package that read or wait on the real clock.
func realTime(f *file) []fault {
	waits := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	var faults []fault
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && isPackage(f, sel.X, "time") && slices.Contains(waits, sel.Sel.Name) {
			faults = append(faults, f.at(sel.Pos(), "uses time.%s", sel.Sel.Name))
		}
		return true
	})
	return faults
}

// coreProduction returns the imports of f if it is production code of the core.
func coreProduction(f *file) []*ast.ImportSpec {
	if f.ast == nil || f.test() || !f.core() {
		return nil
	}
	return f.ast.Imports
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

func importsPath(f *file, want string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return importPath(s) == want })
}

// isPackage reports whether e names the imported package.
func isPackage(f *file, e ast.Expr, want string) bool {
	id, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	for _, spec := range f.ast.Imports {
		name := path.Base(importPath(spec))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if importPath(spec) == want && id.Name == name {
			return true
		}
	}
	return false
}
