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

const picturesReason = "a picture in the README is what the code draws: under <!-- output: DIR.ExampleNAME --> is " +
	"exactly what that Example prints"

var outputMark = regexp.MustCompile("(?m)^<!-- output: (\\S+) -->\n```\\w*\n((?s:.*?))\n```$")

func TestEveryPictureOfTheReadmeIsWhatAnExamplePrints(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pictures := outputMark.FindAllStringSubmatch(string(src), -1)
	if len(pictures) < 2 {
		t.Errorf("README.md has %d pictures under marks; it shows at least the states and a timeline", len(pictures))
	}
	files := tree(t)
	var faults []fault
	for _, p := range pictures {
		switch want, err := printed(files, p[1]); {
		case err != nil:
			faults = append(faults, fault{"README.md", err.Error()})
		case p[2] != want:
			faults = append(faults, fault{"README.md", fmt.Sprintf("differs from what %s prints:\n%s\n", p[1], want)})
		}
	}
	report(t, "pictures", picturesReason, faults)
}

// printed returns what the example name, such as fsm.ExampleMermaid, prints according to its own comment.
func printed(files []*file, name string) (string, error) {
	dir, base := path.Dir(name), path.Base(name)
	pkg, function, _ := strings.Cut(base, ".")
	dir = path.Join(dir, pkg)
	for _, f := range files {
		if f.ast == nil || !f.test() || f.dir() != dir {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name != function {
				continue
			}
			_, output, found := strings.Cut(body(f, fn, true), "// Output:\n")
			if !found {
				return "", fmt.Errorf("%s has no output", name)
			}
			var lines []string
			for line := range strings.Lines(output) {
				line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "//")
				lines = append(lines, strings.TrimPrefix(line, " "))
			}
			return strings.Join(lines, "\n"), nil
		}
	}
	return "", fmt.Errorf("there is no %s", name)
}
