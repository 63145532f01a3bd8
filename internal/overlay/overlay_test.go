package overlay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOnePlaceIsReplacedAndTheOriginalLeftAlone(t *testing.T) {
	dir, source := t.TempDir(), filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(source, []byte("package a // one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Write(dir, source, "one", "three")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		source:                     "package a // one two two",
		filepath.Join(dir, "a.go"): "package a // three two two",
		file:                       `"` + source + `":"` + filepath.Join(dir, "a.go") + `"`,
	} {
		if got, err := os.ReadFile(path); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestAPlaceThatIsNotThereExactlyOnceIsRefused(t *testing.T) {
	source := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(source, []byte("package a // one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for old, want := range map[string]string{"two": "occurs 2 times in a.go", "four": "occurs 0 times in a.go"} {
		if _, err := Write(t.TempDir(), source, old, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", old, err, want)
		}
	}
	if _, err := Write(t.TempDir(), source+".none", "one", ""); err == nil {
		t.Error("a source that does not exist was taken")
	}
}
