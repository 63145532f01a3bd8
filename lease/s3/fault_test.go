//go:build linux

package s3

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// errs returns what each method says.
func errs(t *testing.T, m *Manager, key string) map[string]error {
	l := lease.Lease{Key: key, Holder: alice, Term: 1}
	_, acquire := m.Acquire(soon(t), key, alice, time.Minute)
	_, read := m.Read(soon(t), key)
	return map[string]error{
		"acquire": acquire, "renew": m.Renew(soon(t), l, time.Minute), "release": m.Release(soon(t), l), "read": read,
	}
}

// faulty fails unless each method says all of words and where, and calls the fault permanent or not, and never refuses.
func faulty(t *testing.T, m *Manager, key string, permanent bool, words ...string) {
	t.Helper()
	for op, err := range errs(t, m, key) {
		wrong(t, op, err, permanent, append(words, op, key, "s3://")...)
	}
}

func wrong(t *testing.T, what string, err error, permanent bool, words ...string) {
	t.Helper()
	if _, refused := lease.Refusal(err); err == nil || refused || errors.Is(err, lease.ErrPermanent) != permanent {
		t.Errorf("%s: %v, permanent %v; want an error that is no refusal, permanent %v", what, err,
			errors.Is(err, lease.ErrPermanent), permanent)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q; want it to say %q", what, err, w)
		}
	}
	if strings.ContainsRune(err.Error(), '\n') || strings.Contains(err.Error(), servers.S3Secret) {
		t.Errorf("%s: %q; want one line without the secret", what, err)
	}
}

func TestAServerThatIgnoresConditionsIsRefused(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.S3rver())
	c := connect(t, s.Addr(), as("S3RVER", "S3RVER"))
	create(t, c)
	m := open(t, Config{Client: c})
	for range 2 {
		_, err := m.Acquire(t.Context(), "k", alice, time.Minute)
		wrong(t, "acquire", err, true, "ignores If-None-Match: *", "everybody would lead")
	}
	if r, err := m.Read(t.Context(), "k"); err != nil || r.Term != 0 || !r.Holder.IsZero() {
		t.Errorf("%+v, %v; nothing may have been written", r, err)
	}
}

func TestWhatIsWrongIsNamedWithItsRemedy(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		faulty(t, open(t, Config{Client: connect(t, s.Addr()), Bucket: "nowhere"}), "k", true, "NoSuchBucket", "create it")
		faulty(t, open(t, Config{Client: connect(t, s.Addr(), as("nobody", "x"))}), "k", true, "credentials")
		faulty(t, open(t, Config{Client: connect(t, s.Addr(), as(servers.S3Access, "x"))}), "k", true, "credentials")
		once := func(o *awss3.Options) { o.RetryMaxAttempts = 1 }
		s.Kill()
		faulty(t, open(t, Config{Client: connect(t, s.Addr(), once)}), "k", false, "refused")
	})
}

// policy is the policy of docs/stores/s3.md, for the bucket of the tests and without one of its rights.
func policy(t *testing.T, without string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "stores", "s3.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok || !strings.Contains(text, without) {
		t.Fatalf("the page has no policy with %q", without)
	}
	if without != "" {
		text = strings.ReplaceAll(text, without, "s3:GetObjectTagging")
	}
	return strings.ReplaceAll(text, "BUCKET", "leases")
}

func TestTheLeastRightsAreEnoughAndEachIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		without := connect(t, s.Addr(), s.allow(t, s, ""))
		faulty(t, open(t, Config{Client: without}), "k", true, "AccessDenied", "s3:PutObject")
		least := connect(t, s.Addr(), s.allow(t, s, policy(t, "")))
		m := func() *Manager { return open(t, Config{Client: least}) }
		l := granted(t, m(), "k", alice, time.Minute)
		_, err := m().Acquire(t.Context(), "k", bob, time.Minute)
		wantHeld(t, "another", err)
		if err := errors.Join(m().Renew(t.Context(), l, time.Minute), m().Release(t.Context(), l)); err != nil {
			t.Fatal(err)
		}
		faulty(t, open(t, Config{Client: least, Prefix: "elsewhere/"}), "k", true, "AccessDenied")
		for _, right := range []string{"s3:GetObject", "s3:PutObject"} {
			m := open(t, Config{Client: connect(t, s.Addr(), s.allow(t, s, policy(t, right)))})
			_, err := m.Acquire(t.Context(), "a key that nobody has held", bob, time.Minute)
			wrong(t, "without "+right, err, true, "AccessDenied", right)
		}
	})
}

func TestARecordOfSomethingElseIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := opened(t, s.Addr())
		for _, text := range []string{"", "hello", "{}", `{"tenure":1,"key":"other","term":1}`, strings.Repeat("x", 1<<20)} {
			_, err := connect(t, s.Addr()).PutObject(t.Context(), &awss3.PutObjectInput{
				Bucket: aws.String("leases"), Key: aws.String(m.bucket.object("k")), Body: strings.NewReader(text),
			})
			if err != nil {
				t.Fatal(err)
			}
			faulty(t, m, "k", true, "unusable", "s3://leases/tenure/k-k")
		}
	})
}

func TestConfigFaultsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Prefix: strings.Repeat("p", maxPrefix+1), Drift: math.NaN()})
	for _, w := range []string{"Client", "Bucket", "Prefix", "Drift"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+w) {
			t.Errorf("%v; want Config.%s", err, w)
		}
	}
	c := Config{Client: awss3.New(awss3.Options{}), Bucket: "b", Prefix: strings.Repeat("p", maxPrefix), Drift: 0.5}
	if m, err := New(c); err != nil || m.Limits().MinTTL != minTTL {
		t.Error(m, err)
	}
	for _, bad := range []Config{{Client: c.Client, Bucket: "a\nb"}, {Client: c.Client, Bucket: "b", Drift: 1},
		{Client: c.Client, Bucket: "b", Drift: -0.1}, {Client: c.Client, Bucket: "b", Prefix: "\x00"}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestNamesOfObjectsAreDistinctAndPlain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("K", lease.MaxKey)
	seen := map[string]string{}
	for _, key := range []string{"k", "K", "%4b", "a/b", "a%2fb", "..", ".", " ", "k ", long, long[1:], long[1:] + "k"} {
		n := name(key)
		if other, taken := seen[strings.ToLower(n)]; taken {
			t.Errorf("%q and %q are both %q", key, other, n)
		}
		seen[strings.ToLower(n)] = key
		if len(n) > maxName || strings.ContainsAny(n, "/ \\?#") || strings.HasPrefix(n, ".") {
			t.Errorf("%q is called %q", key, n)
		}
	}
}
