package kubernetes_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-tenure/tenure/internal/overlay"
)

// Each mutant breaks one rule of decide.go. The tests of what is read and written must notice it.
var mutants = map[string][2]string{
	"a renewal within a second is not seen":    {"wall.Before(next) {", "wall.IsZero() && wall.Before(next) {"},
	"a length is rounded down":                 {"(ttl+time.Second-1)/time.Second", "ttl/time.Second"},
	"a stranger gets no guard":                 {"*time.Second + guard}", "*time.Second + 0*guard}"},
	"an emptied lease is free":                 {"case marked && since == 0 &&", "case marked && since < 0 &&"},
	"a label starts the length anew":           {"v.object.known() == o.known()", "v.object.version == o.version"},
	"a mark counts under any holder":           {" && o.holder == identity(m.who()) {", " {"},
	"a mark counts after a transition":         {"marked && o.transitions == m.Transitions && ", "marked && "},
	"a mark counts for any key":                {" || m.Key != key {", " {"},
	"a stranger keeps the term before it":      {"max(next.body.Term, high+1)", "high"},
	"each renewal of a stranger is a new term": {"case v.alien && v.object", "case !v.alien && v.object"},
	"a grant is no transition":                 {"math.MaxInt32-1) + 1", "math.MaxInt32-1) + 0"},
	"the next term may be that of before":      {"return lease.Term(n) - 1, true", "return lease.Term(n) - 2, true"},
	"a release keeps the length":               {"o.renewed = 1, at, at", "o.renewed = o.seconds, at, at"},
	"the identity is the name":                 {`return h.Name + "_" + h.Incarnation`, "return h.Name"},
	"a lease without a length is free at once": {"seconds = unknownSeconds", "seconds = 0"},
}

func TestEveryMutantOfTheDecisionsIsNoticed(t *testing.T) {
	source, err := filepath.Abs("decide.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := overlay.Write(t.TempDir(), source, m[0], m[1])
			if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(t.TempDir(), "mutant")
			build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", binary, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("it does not compile: %v\n%s", err, out)
			}
			if out, err := exec.Command(binary, "-test.run", decisions).CombinedOutput(); err == nil {
				t.Errorf("the tests pass:\n%s", out)
			}
		})
	}
	whole := exec.Command("go", "test", "-count=1", "-vet=off", "-run", decisions, ".")
	if out, err := whole.CombinedOutput(); err != nil {
		t.Errorf("the tests fail without a mutant: %v\n%s", err, out)
	}
}

// decisions is the tests of decide.go.
const decisions = "Written|Sensible|Renewal|Length|Transitions|Judged|Emptied|Anew|Stranger|NextTerm|Damaged"
