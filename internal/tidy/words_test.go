package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"unicode"
)

var wordRules = []rule{
	{"field-words", "one thing has one name: follower, acquiring, leader, releasing, acquire, renew, release, lease, " +
		"term, holder, tenure", fieldWords},
	{"no-open-ends", "what is left to do stands in the tracker, where somebody sees it", noOpenEnds},
	{"no-machine-paths", "a path of one person's machine means nothing on another", noMachinePaths},
}

// otherWord matches one word by which others call a leader, a follower or a contender.
var otherWord = regexp.MustCompile(`(?i)^(primary|primaries|masters?|slaves?|candidates?|candidacy)$`)

var letters = regexp.MustCompile(`[A-Za-z]+`)

// fieldWords looks at comments and at the names that a file declares or uses from its own package. Names of other
// people's packages (x.MasterURL) and strings are theirs.
func fieldWords(f *file) []fault {
	if f.ast == nil {
		return nil
	}
	var faults []fault
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			for _, w := range letters.FindAllString(c.Text, -1) {
				if otherWord.MatchString(w) {
					faults = append(faults, f.at(c.Pos(), "the comment says %q", w))
				}
			}
		}
	}
	foreign := map[*ast.Ident]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			foreign[n.Sel] = true
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok {
				foreign[id] = true
			}
		case *ast.Ident:
			for _, w := range camelWords(n.Name) {
				if !foreign[n] && otherWord.MatchString(w) {
					faults = append(faults, f.at(n.Pos(), "the name %s says %q", n.Name, w))
				}
			}
		}
		return true
	})
	return faults
}

// camelWords splits a name into its words: newLeaseURL is new, Lease, URL.
func camelWords(name string) []string {
	var words []string
	start := 0
	rs := []rune(name)
	cut := func(i int) {
		if i > start {
			words = append(words, string(rs[start:i]))
		}
		start = i
	}
	for i, r := range rs {
		switch {
		case !unicode.IsLetter(r):
			cut(i)
			start = i + 1
		case i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])):
			cut(i)
		}
	}
	cut(len(rs))
	return words
}

// The patterns below are put together so that they do not match themselves.
var (
	openEnd     = regexp.MustCompile(`\b(` + `TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	machinePath = regexp.MustCompile(`(^|[^\w/.-])/(home|root|work|Users|farm|mnt|media)/\w|[A-Z]:\\\\?Users\\`)
)

func noOpenEnds(f *file) []fault     { return textFaults(f, openEnd) }
func noMachinePaths(f *file) []fault { return textFaults(f, machinePath) }

// textFaults finds lines that match, in code and prose alike.
func textFaults(f *file, pattern *regexp.Regexp) []fault {
	if path.Base(f.path) == "LICENSE" {
		return nil
	}
	var faults []fault
	for i, line := range strings.Split(f.src, "\n") {
		if m := pattern.FindString(line); m != "" {
			faults = append(faults, fault{where(f, i+1), "says " + strings.TrimSpace(m)})
		}
	}
	return faults
}
