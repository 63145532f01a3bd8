package file

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

const (
	key = "billing"
	ttl = time.Minute
)

var (
	alice = lease.Holder{Name: "alice", Incarnation: "1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "1"}
)

func open(t testing.TB, dir string) *Manager {
	t.Helper()
	m, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func acquire(t testing.TB, m *Manager, h lease.Holder) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// helpful fails unless err is one short line with all parts, and is marked permanent or not as wanted.
func helpful(t *testing.T, err error, permanent bool, parts ...string) {
	t.Helper()
	if err == nil || errors.Is(err, lease.ErrPermanent) != permanent {
		t.Errorf("it returned %v; permanent should be %v", err, permanent)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
		t.Errorf("it is no short line: %v", err)
	}
}

// keyOf is the inverse of name. It reports false for a name that is none, and for a hash, which does not tell.
func keyOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "k-")
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] != '%' {
			b.WriteByte(rest[i])
			continue
		}
		if i+2 >= len(rest) {
			return "", false
		}
		c, err := hex.DecodeString(rest[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}

func TestNamesAreDistinctSafeAndReversible(t *testing.T) {
	keys := []string{
		"billing", "Billing", "BILLING", "%42illing", ".", "..", "../../etc/passwd", "/", `\`, "a/b", "a:b", "a b",
		" ", "nul",
		"con", "CON.txt", "a.", "a%", "%", "%2", "%2f", "~", "-", "k-billing", "h-0", "billing.json", "billing.lock",
		strings.Repeat("a", maxName-2), strings.Repeat("a", maxName-1), strings.Repeat("a", 253),
		strings.Repeat("A", 253),
		strings.Repeat("/", 253), strings.Repeat("A", 42), strings.Repeat("A", 43),
	}
	for c := byte(0x20); c < 0x7f; c++ {
		keys = append(keys, "x"+string(c))
	}
	seen := map[string]string{}
	for _, key := range keys {
		n := name(key)
		if other, ok := seen[n]; ok && other != key {
			t.Errorf("%q and %q share the name %q", key, other, n)
		}
		seen[n] = key
		if n != strings.ToLower(n) || strings.ContainsAny(n, `/\:*?"<>| `) || n[0] == '.' || len(n) > maxName {
			t.Errorf("%q becomes %q", key, n)
		}
		back, ok := keyOf(n)
		if hashed := strings.HasPrefix(n, "h-"); ok == hashed || ok && back != key {
			t.Errorf("%q becomes %q and that %q, %v", key, n, back, ok)
		}
	}
}

func TestWhatAKilledWriterLeavesBehindIsIgnoredAndSwept(t *testing.T) {
	m := open(t, t.TempDir())
	l := acquire(t, m, alice)
	tmp := filepath.Join(filepath.Dir(where(m)), "k-billing.tmp")
	half := register.Encode(key, register.Body{Holder: bob, Term: 99, TTL: ttl})
	for _, left := range [][]byte{nil, half[:17], half} {
		if err := os.WriteFile(tmp, left, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := m.Read(t.Context(), key); err != nil || r.Lease != l {
			t.Fatalf("read: %+v, %v", r, err)
		}
		if err := m.Renew(t.Context(), l, ttl); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(tmp); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the leftover is still there: %v", err)
		}
	}
}

// where is the path of the record of key.
func where(m *Manager) string { return filepath.Join(m.dir.path, "k-billing.json") }

func TestADamagedFileIsAnErrorThatSaysWhatToDoAndIsLeftAlone(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "half written": `{"tenure":1,"ke`, "foreign": "root:x:0:0\n",
		"of another key": `{"tenure":1,"key":"a","term":3}`,
		"oversized":      strings.Repeat("x", 1<<20), "without term": `{"tenure":1,"key":"billing"}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, t.TempDir())
			if err := os.WriteFile(where(m), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := m.Acquire(t.Context(), key, alice, ttl)
			helpful(t, err, true, `"billing"`, where(m), `write {"tenure":1,"key":"billing","term":N}`)
			_, err = m.Read(t.Context(), key)
			helpful(t, err, true, where(m))
			if got, err := os.ReadFile(where(m)); err != nil || string(got) != content {
				t.Errorf("the file was changed: %.40q, %v", got, err)
			}
			if err := os.WriteFile(where(m), []byte(`{"tenure":1,"key":"billing","term":41}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if l := acquire(t, m, alice); l.Term != 42 {
				t.Errorf("after the repair the term is %d, not 42", l.Term)
			}
		})
	}
}

func TestAMissingOrUnusableDirectoryIsAnErrorThatSaysWhatToDo(t *testing.T) {
	base := t.TempDir()
	plain := filepath.Join(base, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config Config
		parts  []string
	}{
		{Config{}, []string{"Config.Dir is empty"}},
		{Config{Dir: base, Wait: -1}, []string{"Config.Wait -1ns"}},
		{Config{Dir: base, Drift: 2}, []string{"Config.Drift 2"}},
		{Config{Dir: base + "/none"}, []string{base + "/none does not exist; create it"}},
		{Config{Dir: base + "/none/none", Create: true}, []string{base + "/none/none does not exist; create it"}},
		{Config{Dir: plain}, []string{plain + " is not a directory"}},
		{Config{Dir: plain, Create: true}, []string{plain + " is not a directory"}},
		{Config{Dir: plain + "/below", Create: true}, []string{plain + "/below is not a directory"}},
	} {
		m, err := New(c.config)
		if m != nil {
			t.Errorf("%+v: got a Manager", c.config)
		}
		helpful(t, err, true, c.parts...)
	}
}

func TestALockThatAnotherHasIsWaitedForNoLongerThanTheContextOrTheLimit(t *testing.T) {
	m, err := New(Config{Dir: t.TempDir(), Wait: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	f, err := tryLock(m.dir.file(key, ".lock"))
	if f == nil || err != nil {
		t.Fatal(f, err)
	}
	_, err = m.Acquire(t.Context(), key, alice, ttl)
	who := "another process is busy with"
	if runtime.GOOS == "linux" {
		who = fmt.Sprintf("process %d is busy with", os.Getpid())
	}
	helpful(t, err, false, who, "waited 30ms")
	m.dir.wait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = m.Acquire(ctx, key, alice, ttl)
	helpful(t, err, false, who)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it returned %v", err)
	}
	release(f)
	acquire(t, m, alice)
}

func TestALockFileThatWasCleanedAwayIsNotTrusted(t *testing.T) {
	d := newDir(Config{Wait: time.Second}, t.TempDir())
	path := d.file(key, ".lock")
	f, err := tryLock(path)
	if f == nil || err != nil {
		t.Fatal(f, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	unlock, err := d.lock(t.Context(), key) // a new file; the old lock says nothing
	if err != nil {
		t.Fatal(err)
	}
	release(f)
	if f, err := tryLock(path); f != nil || err != nil {
		t.Fatalf("the lock was had twice: %v, %v", f, err)
	}
	unlock()
}

func TestAnInjectedClockDecidesAlone(t *testing.T) {
	path, clk := t.TempDir(), clock.NewMock()
	m, err := New(Config{Dir: path, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, m, alice)
	clk.Add(ttl + ttl/100)
	acquire(t, m, bob)
}

func TestEveryWriteIsARenameAndNeverInPlace(t *testing.T) {
	m := open(t, t.TempDir())
	l := acquire(t, m, alice)
	before, err := os.Open(where(m))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	for range 3 {
		if err := m.Renew(t.Context(), l, ttl); err != nil {
			t.Fatal(err)
		}
	}
	value := make([]byte, register.MaxSize)
	n, _ := before.Read(value)
	if b, err := register.Decode(key, value[:n]); err != nil || b.Seq != 0 {
		t.Fatalf("a reader that had the old record open sees %+v, %v", b, err)
	}
}
