// Package overlay compiles a source file as if one place in it read otherwise. The tests that hold the other tests to
// noticing faults (mutants) are made with it.
package overlay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Write puts a copy of the source file original into dir, with replacement in the place of old, and beside it the file
// to give to the go command with -overlay, whose name it returns. It fails unless old occurs exactly once, so that a
// list of such changes stays in step with the code. original must be an absolute path.
func Write(dir, original, old, replacement string) (string, error) {
	src, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(src), old); n != 1 {
		return "", fmt.Errorf("overlay: %q occurs %d times in %s; bring the list in step with the code",
			old, n, filepath.Base(original))
	}
	changed := filepath.Join(dir, filepath.Base(original))
	text := strings.Replace(string(src), old, replacement, 1)
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, replace, 0o600)
}
