package tidy

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var shapeRules = []rule{
	{"function-length", "a function fits on a screen: 70 lines", functionLength},
	{"line-length", "two files fit side by side: 120 columns", lineLength},
	{"file-length", "a file has one subject: 400 lines, and the whole election is read in one sitting: fsm/fsm.go has " +
		"fewer than 300", fileLength},
	{"no-init", "importing a package does nothing", noInit},
	{"no-context-in-struct", "a context belongs to a call; kept in a struct nobody can tell when it ends",
		noContextInStruct},
}

func functionLength(f *file) []fault {
	if f.ast == nil || f.test() {
		return nil
	}
	var faults []fault
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > 70 {
				faults = append(faults, f.at(fn.Pos(), "%s has %d lines", fn.Name.Name, n))
			}
		}
	}
	return faults
}

func lineLength(f *file) []fault {
	if f.ast == nil {
		return nil
	}
	var faults []fault
	for i, line := range strings.Split(f.src, "\n") {
		if n := utf8.RuneCountInString(line); n > 120 {
			faults = append(faults, f.at(f.fset.File(f.ast.Pos()).LineStart(i+1), "%d columns", n))
		}
	}
	return faults
}

func fileLength(f *file) []fault {
	most := 400
	if f.path == "fsm/fsm.go" {
		most = 299
	}
	if n := strings.Count(f.src, "\n"); f.ast != nil && !f.test() && n > most {
		return []fault{f.at(f.ast.Pos(), "%d lines", n)}
	}
	return nil
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	report(t, "doc-comment", "a reader of the documentation sees only the comment: what it is, unit, zero, errors, "+
		"who may call", packageFaults(tree(t), docComment))
}

// docComment looks at what go doc shows of a package: declarations, and methods of exported types. A comment on a
// group of constants or variables speaks for each of them. Fields and methods of interfaces may speak for themselves.
// Of twins for several systems one must have the comment.
func docComment(_ string, files []*file) []fault {
	documented := map[string]bool{}
	bare := map[string]fault{}
	note := func(f *file, pos token.Pos, name string, doc bool) {
		if doc {
			documented[name] = true
		} else {
			bare[name] = f.at(pos, "%s has no comment", name)
		}
	}
	for _, f := range files {
		if f.test() || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					note(f, d.Pos(), d.Name.Name, d.Doc != nil)
				} else if d.Name.IsExported() && ast.IsExported(receiver(d)) {
					note(f, d.Pos(), receiver(d)+"."+d.Name.Name, d.Doc != nil)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if name, doc := specDoc(spec); name != "" {
						note(f, spec.Pos(), name, doc || d.Doc != nil)
					}
				}
			}
		}
	}
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(bare)) {
		if !documented[name] {
			faults = append(faults, bare[name])
		}
	}
	return faults
}

// specDoc returns the first exported name of a declaration, if any, and whether it has a comment.
func specDoc(spec ast.Spec) (name string, documented bool) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			return s.Name.Name, s.Doc != nil || s.Comment != nil
		}
	case *ast.ValueSpec:
		for _, id := range s.Names {
			if id.IsExported() {
				return id.Name, s.Doc != nil || s.Comment != nil
			}
		}
	}
	return "", true
}

// receiver returns the name of the type whose method fn is.
func receiver(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func noInit(f *file) []fault {
	if f.ast == nil || f.test() {
		return nil
	}
	var faults []fault
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			faults = append(faults, f.at(fn.Pos(), "func init"))
		}
		if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.IMPORT {
			for _, spec := range gen.Specs {
				if s := spec.(*ast.ImportSpec); s.Name != nil && s.Name.Name == "_" && path.Base(importPath(s)) != "embed" {
					faults = append(faults, f.at(s.Pos(), "imports %s for its side effects", importPath(s)))
				}
			}
		}
	}
	return faults
}

// noContextInStruct looks at named types. A type that embeds a context is one; the conformance suite plays a test that
// has one.
func noContextInStruct(f *file) []fault {
	if f.ast == nil || f.test() || within(f.dir(), []string{"lease/leasetest"}) {
		return nil
	}
	var faults []fault
	ast.Inspect(f.ast, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, field := range st.Fields.List {
			sel, ok := field.Type.(*ast.SelectorExpr)
			embedded := len(field.Names) == 0
			if ok && !embedded && isPackage(f, sel.X, "context") && sel.Sel.Name == "Context" {
				faults = append(faults, f.at(field.Pos(), "%s holds a context", spec.Name.Name))
			}
		}
		return true
	})
	return faults
}
