package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// remaining is what a process that sees the record for the first time says of it.
func remaining(t *testing.T, m *Manager) time.Duration {
	t.Helper()
	_, err := open(t, m.dir.path).Acquire(t.Context(), key, bob, ttl)
	var held *lease.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("it returned %v", err)
	}
	return held.Record.Remaining
}

func edit(t *testing.T, m *Manager, change func(*register.Body)) {
	t.Helper()
	value, err := os.ReadFile(where(m))
	if err != nil {
		t.Fatal(err)
	}
	b, err := register.Decode(key, value)
	if err != nil {
		t.Fatal(err)
	}
	change(&b)
	if err := os.WriteFile(where(m), register.Encode(key, b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestANewcomerOnTheSameBootKnowsTheTimeThatIsLeft(t *testing.T) {
	m := open(t, t.TempDir())
	if bootDomain(m.dir.path) == "" {
		t.Fatal("the directory for tests is on no local file system; set TMPDIR to one")
	}
	const full = ttl + ttl/100
	acquire(t, m, alice)
	if left := remaining(t, m); left > ttl || left < ttl-10*time.Second {
		t.Errorf("just granted, %v are left", left)
	}
	edit(t, m, func(b *register.Body) { b.At -= ttl / 2 })
	if left := remaining(t, m); left > ttl/2 || left < ttl/2-10*time.Second {
		t.Errorf("after half of it, %v are left", left)
	}
	edit(t, m, func(b *register.Body) { b.At += ttl }) // in the future
	if left := remaining(t, m); left != full {
		t.Errorf("of a lease from the future, %v are left", left)
	}
	edit(t, m, func(b *register.Body) { b.At, b.Domain = 0, strings.Repeat("0", 36) })
	if left := remaining(t, m); left != full {
		t.Errorf("of a lease from another boot, %v are left", left)
	}
	edit(t, m, func(b *register.Body) { b.At, b.Domain = 0, bootDomain(m.dir.path) })
	acquire(t, open(t, m.dir.path), bob)
}

func TestTheBootClockIsNotUsedWhereItMayNotBeCommon(t *testing.T) {
	if d := bootDomain("/proc/self"); d != "" {
		t.Errorf("on a file system that is not on the list, the domain is %q", d)
	}
	if d := bootDomain("/no/such/directory"); d != "" {
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
	b1, ok := bootClock()
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	d := time.Since(start)
	b2, _ := bootClock()
	if !ok || b2-b1 < d || b1 <= 0 {
		t.Fatalf("%v passed, on the boot clock %v", d, b2-b1)
	}
}
