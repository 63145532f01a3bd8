package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnAddressThatCannotBeMeantIsRefused(t *testing.T) {
	for address, says := range map[string]string{
		"":                               "has no scheme",
		"/var/lib/tenure":                "write file:/var/lib/tenure",
		"consul://localhost":             `the scheme "consul" is unknown; known: `,
		"consul://me:secret@host/db":     `the scheme "consul" is unknown`,
		"me:secret@host":                 "is unknown",
		"//me/secret@host":               "has no scheme",
		"memory:":                        "reaches no other process",
		"file:":                          "names no directory",
		"file://":                        "names no directory",
		"file://elsewhere/var/lib":       "not a directory of this host",
		"file:///var/lib?mode=ro":        "not a directory of this host",
		"file:///var/lib#part":           "not a directory of this host",
		"file://localhost:99999999/%zz/": "not a directory of this host",
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want ErrURL that says %q", address, err, says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %q gives the password away", address, err)
		}
	}
}

func TestADirectoryCanBeWrittenInSeveralWays(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	var leases []lease.Lease
	for i, address := range []string{"file:" + dir, "file://" + dir, "file://localhost" + dir,
		"file:" + filepath.Base(dir)} {
		m, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		h := lease.Holder{Name: fmt.Sprint("node-", i), Incarnation: "x"}
		l, err := m.Acquire(t.Context(), "k", h, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
		if err := m.Release(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if last := leases[len(leases)-1]; last.Term < 4 {
		t.Errorf("terms are %v; they are not of one store", leases)
	}
}

func TestADirectoryThatIsNoneIsAFaultOfTheStore(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, plain + "/below", filepath.Dir(plain) + "/missing"} {
		m, err := store.Open("file:" + path)
		if err == nil || errors.Is(err, store.ErrURL) || m != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: store is %v, error is %v", path, m, err)
		}
	}
}

func TestWhatMayBeSecretIsLeftOutOfAnAddress(t *testing.T) {
	for address, want := range map[string]struct {
		text   string
		secret bool
	}{
		"file:/var/lib/tenure":                            {"file:/var/lib/tenure", false},
		"redis://localhost:6379/0":                        {"redis://localhost:6379/0", false},
		"postgres://me@host/db":                           {"postgres://...@host/db", false},
		"postgres://me:pass@host/db?table=x":              {"postgres://...@host/db?...", true},
		"postgres://me:p@ss@host/db":                      {"postgres://...@host/db", true},
		"postgres://host/db?user=me&password=pass":        {"postgres://host/db?...", true},
		"azblob://account/box?SharedAccessKey=x&sig=pass": {"azblob://account/box?...", true},
		"me:pass@host":                                    {"me://...@host", false},
		"//me/pass@host":                                  {"...", false},
	} {
		if got := store.Redact(address); got != want.text {
			t.Errorf("%s is shown as %s, want %s", address, got, want.text)
		}
		if got := store.Secret(address); got != want.secret {
			t.Errorf("%s holds a secret: %t", address, got)
		}
	}
}

func TestAStoreCanBeClosedTwice(t *testing.T) {
	s, err := store.Open("file:" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(store.Help(), "file:DIR") {
		t.Error("the help does not know the store")
	}
}

func TestNoErrorQuotesAPasswordThatIsNotWrittenAsItShouldBe(t *testing.T) {
	t.Setenv("AZURE_STORAGE_KEY", "a2V5")
	for _, scheme := range []string{"azblob", "etcd", "kubernetes", "mysql", "nats", "postgres", "redis", "rediss"} {
		for _, rest := range []string{
			"://u:hunter2/@h:1/d", "://u:1/hunter2@h:1/d", "://u:1?hunter2@h:1/d", "://u:hun?ter2@h:1/d", "://hunter2/x@h:1/d",
		} {
			s, err := store.Open(scheme + rest)
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, store.ErrURL) || strings.Contains(err.Error(), "ter2") {
				t.Errorf("%s%s: %v", scheme, rest, err)
			}
		}
	}
}

func ExampleOpen() {
	_, err := store.Open("/var/lib/tenure")
	fmt.Println(err)
	// Output: store: "/var/lib/tenure" has no scheme; for a directory write file:/var/lib/tenure
}
