package tidy

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const readmeReason = "code in the README is copied first and compiled last: every Go block stands under " +
	"<!-- example: DIR.ExampleNAME --> and equals that Example's body, or under <!-- file: PATH --> and equals that file"

func TestEveryGoBlockOfTheReadmeIsARunningExample(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatalf("README.md: %v; it is where a newcomer starts", err)
	}
	blocks := goBlocks(string(src))
	if len(blocks) == 0 {
		t.Error("README.md shows no Go code: show the shortest program that leads")
	}
	report(t, "readme-blocks", readmeReason, readmeFaults(blocks, tree(t)))
}

// A block is one fenced block of Go code in prose, with the mark that stands above it.
type block struct {
	line       int
	kind, what string // from <!-- kind: what -->, empty if there is no mark
	code       string
}

var mark = regexp.MustCompile(`^\s*<!--\s*(example|file):\s*(\S+)\s*-->\s*$`)

// goBlocks finds the fenced Go blocks of a Markdown text.
func goBlocks(src string) []block {
	var blocks []block
	var above string // the last line that was not empty
	lines := strings.Split(src, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if strings.HasPrefix(line, "```go") {
			b := block{line: i + 1}
			if m := mark.FindStringSubmatch(above); m != nil {
				b.kind, b.what = m[1], m[2]
			}
			start := i + 1
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			}
			b.code = strings.Join(lines[start:min(i, len(lines))], "\n")
			blocks = append(blocks, b)
		}
		if line != "" {
			above = line
		}
	}
	return blocks
}

func readmeFaults(blocks []block, files []*file) []fault {
	var faults []fault
	for _, b := range blocks {
		want, err := b.source(files)
		at := fmt.Sprintf("README.md:%d", b.line)
		switch {
		case err != nil:
			faults = append(faults, fault{at, err.Error()})
		case strings.TrimSpace(b.code) != want:
			faults = append(faults, fault{at, fmt.Sprintf("differs from %s, which reads:\n%s\n", b.what, want)})
		}
	}
	return faults
}

// source returns the code that the block must equal.
func (b block) source(files []*file) (string, error) {
	switch b.kind {
	case "file":
		for _, f := range files {
			if f.path == b.what {
				return strings.TrimSpace(f.src), nil
			}
		}
		return "", fmt.Errorf("there is no file %s", b.what)
	case "example":
		dir, name := path.Dir(b.what), path.Base(b.what)
		pkg, name, _ := strings.Cut(name, ".")
		dir = path.Join(dir, pkg)
		for _, f := range files {
			if f.ast == nil || !f.test() || f.dir() != dir {
				continue
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
					return body(f, fn, strings.Contains(b.code, "// Output:")), nil
				}
			}
		}
		return "", fmt.Errorf("package %s has no %s", dir, name)
	}
	return "", fmt.Errorf("a Go block without a mark above it")
}

// body returns what stands between the braces of fn, one tab to the left, with the expected output only if asked for.
func body(f *file, fn *ast.FuncDecl, output bool) string {
	text := f.src[f.fset.Position(fn.Body.Lbrace).Offset+1 : f.fset.Position(fn.Body.Rbrace).Offset]
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "\t")
		if !output && strings.HasPrefix(line, "// Output:") {
			break
		}
		lines = append(lines, line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func TestEveryLinkBetweenOurOwnTextsLeadsSomewhere(t *testing.T) {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(name)))
		return err == nil
	}
	var faults []fault
	for _, f := range tree(t) {
		faults = append(faults, deadLinks(f, exists)...)
	}
	report(t, "links", "a reader who follows a dead link does not come back", faults)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// deadLinks finds links of a Markdown text to files that do not exist.
func deadLinks(f *file, exists func(string) bool) []fault {
	if path.Ext(f.path) != ".md" {
		return nil
	}
	var faults []fault
	for i, line := range strings.Split(f.src, "\n") {
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if !exists(path.Join(f.dir(), target)) {
				faults = append(faults, fault{where(f, i+1), "there is no " + target})
			}
		}
	}
	return faults
}
