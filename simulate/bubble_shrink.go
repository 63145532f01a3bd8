package simulate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// mostTries is how many smaller scripts are tried of one that fails in a bubble.
const mostTries = 1000

// ReplayBubble plays one schedule, given as a script or a token, with the work that declare declares, and fails t as
// [Bubble] does, without shrinking. The script takes the place of what declare says of faults, watches, heal and end;
// see Bubble for what declare must obey. It is what a pasted test calls.
func ReplayBubble(t *testing.T, script string, declare func(w *World)) {
	t.Helper()
	if declare == nil {
		t.Fatal("simulate: ReplayBubble without a function; give that of the Bubble that failed")
	}
	sc, err := read(script)
	if err != nil {
		t.Fatal(err)
	}
	if w := inBubble(t, sc, &sc, declare); len(w.failures) > 0 {
		t.Fatalf("%v\n%s%s", errors.Join(w.failures...), w.picture(), w.stack)
	}
}

// picture is the timeline, if it came that far.
func (w *World) picture() string {
	if w.trace == nil {
		return ""
	}
	return w.trace.Timeline()
}

// replayKept plays the scripts that failed before.
func replayKept(t *testing.T, c Cluster, declare func(w *World)) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(c.keepFor(t), "*.scenario"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("simulate: %s", path)
		ReplayBubble(t, string(script), declare)
	}
}

// keepFor is the directory of the scripts of t that failed.
func (c Cluster) keepFor(t *testing.T) string {
	dir := c.Keep
	if dir == "" {
		dir = filepath.Join("testdata", "simulate")
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '/':
			return r
		}
		return '_'
	}, t.Name())
	return filepath.Join(dir, filepath.FromSlash(name))
}

// fail fails t with everything there is to see of w, shrunk.
func (w *World) fail(t *testing.T, c Cluster, declare func(w *World)) {
	t.Helper()
	v := w.failure()
	if v.Rule == "" {
		t.Fatal(errors.Join(w.failures...))
	}
	var also strings.Builder
	for _, err := range w.failures[1:] {
		fmt.Fprintf(&also, "and also: %v\n", err)
	}
	seed := w.scenario.Seed
	again := inBubble(t, w.scenario, &w.scenario, declare)
	if again.digest != w.digest || again.failure().Rule != v.Rule {
		t.Fatalf("simulate: seed %d violates %s\n%splayed again it goes another way (digest %016x, then %016x), so it "+
			"cannot be shrunk: the function given to Bubble is not repeatable; its documentation says what makes it so\n%s%s",
			seed, v, &also, w.digest, again.digest, w.trace.Timeline(), w.stack)
	}
	small, plays, done := shrinkBubble(t, w, declare)
	path := filepath.Join(c.keepFor(t), fmt.Sprintf("%s-%d.scenario", fileName(v.Rule), seed))
	if err := keep(path, small.scenario); err != nil {
		t.Errorf("simulate: the script could not be kept: %v", err)
	}
	note := ""
	if !done {
		note = fmt.Sprintf("; there were more to try, but %d is the most", mostTries)
	}
	t.Fatalf("simulate: seed %d violates %s\n%s%d of %d faults are needed (%d replays%s)\n%s%s",
		seed, v, &also, len(small.scenario.Faults), len(w.scenario.Faults), plays, note,
		small.trace.show(w.trace, path, replayCall(t, small.scenario, declare)), small.stack)
}

// shrinkBubble returns the smallest script that fails as w has failed, played, after how many plays, and whether
// nothing was left to try.
func shrinkBubble(t *testing.T, w *World, declare func(w *World)) (small *World, plays int, done bool) {
	t.Helper()
	x := &shrinker{rule: w.failure().Rule, most: mostTries, play: func(s Scenario) Violation {
		return inBubble(t, s, &s, declare).failure()
	}}
	s := x.shrink(w.scenario)
	return inBubble(t, s, &s, declare), x.plays, !x.spent()
}

func fileName(rule string) string { return strings.ReplaceAll(strings.ToLower(rule), " ", "-") }

// replayCall is the call of ReplayBubble to paste. A function with a name of its own is called by it.
func replayCall(t *testing.T, s Scenario, declare func(w *World)) string {
	name := runtime.FuncForPC(reflect.ValueOf(declare).Pointer()).Name()
	name = name[strings.LastIndex(name, "/")+1:]
	if parts := strings.Split(name, "."); len(parts) == 2 {
		return fmt.Sprintf("simulate.ReplayBubble(t, `%s`, %s)", s, parts[1])
	}
	return fmt.Sprintf("simulate.ReplayBubble(t, `%s`, func(w *simulate.World) {\n\t\t// as in %s\n\t})", s, t.Name())
}
