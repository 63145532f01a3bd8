package bootclock

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestADirectoryForTestsHasTheClockOfThisBoot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d := Domain(dir); len(d) != 36 || Domain(file) != d {
		t.Errorf("the directory has the domain %q, a file in it %q; set TMPDIR to a local file system", d, Domain(file))
	}
}

func TestTheBootClockIsNotUsedWhereItMayNotBeCommon(t *testing.T) {
	if d := Domain("/proc/self"); d != "" {
		t.Errorf("on a file system that is not on the list, the domain is %q", d)
	}
	if d := Domain("/no/such/directory"); d != "" {
		t.Errorf("nowhere, the domain is %q", d)
	}
	const own = "monotonic           0         0\nboottime            0         0\n"
	const shifted = "monotonic 0 0\nboottime 5 0\n"
	for name, c := range map[string]struct {
		now, children, offsets string
		common                 bool
	}{
		"no time namespaces":       {common: true},
		"the first namespace":      {"time:[1]", "time:[1]", own, true},
		"an offset":                {"time:[2]", "time:[2]", shifted, false},
		"children are elsewhere":   {"time:[1]", "time:[2]", own, false},
		"offsets cannot be read":   {"time:[1]", "time:[1]", "", false},
		"offsets mean nothing":     {"time:[1]", "time:[1]", "hello\n", false},
		"children cannot be asked": {"time:[1]", "", own, false},
	} {
		proc := t.TempDir()
		if err := os.Mkdir(filepath.Join(proc, "ns"), 0o700); err != nil {
			t.Fatal(err)
		}
		for link, to := range map[string]string{"time": c.now, "time_for_children": c.children} {
			if to != "" {
				if err := os.Symlink(to, filepath.Join(proc, "ns", link)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if c.offsets != "" {
			if err := os.WriteFile(filepath.Join(proc, "timens_offsets"), []byte(c.offsets), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := commonTime(proc); got != c.common {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTheBootClockRunsWithTheMonotonicClock(t *testing.T) {
	b1, ok := Now()
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	d := time.Since(start)
	b2, _ := Now()
	if !ok || b2-b1 < d || b1 <= 0 {
		t.Fatalf("%v passed, on the boot clock %v", d, b2-b1)
	}
}
