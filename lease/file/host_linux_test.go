package file

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/bootclock"
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
	if bootclock.Domain(m.dir.path) == "" {
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
	edit(t, m, func(b *register.Body) { b.At, b.Domain = 0, bootclock.Domain(m.dir.path) })
	acquire(t, open(t, m.dir.path), bob)
}
