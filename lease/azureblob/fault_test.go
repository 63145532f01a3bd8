//go:build linux

package azureblob

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

func TestWhatOnlyAPersonCanCureIsSaidSo(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	wrong := clientWith(t, s.Addr(), "leases", "c2VjcmV0")
	for _, mode := range []Mode{Native, Swap} {
		_, err := open(t, Config{Container: wrong, Mode: mode}).Acquire(t.Context(), key, alice, ttl)
		permanent(t, err, "give these credentials the right")
		_, err = open(t, Config{Container: client(t, s.Addr(), "UPPER"), Mode: mode}).Acquire(t.Context(), key, alice, ttl)
		if err == nil {
			t.Errorf("%s: a container with an impossible name was used", mode)
		}
	}
	one, other := Config{Container: client(t, s.Addr(), "leases")}, Config{Container: client(t, s.Addr(), "leases")}
	one.Prefix, other.Prefix, other.Mode = "a/", "a/", Swap
	acquire(t, open(t, one), alice, ttl)
	_, err := open(t, other).Acquire(t.Context(), key, bob, ttl)
	permanent(t, err, "set Config.Mode to Native", "a/billing")
	one.Prefix, other.Prefix = "b/", "b/"
	acquire(t, open(t, other), alice, ttl)
	_, err = open(t, one).Acquire(t.Context(), key, bob, ttl)
	permanent(t, err, "set Config.Mode to Swap", "b/billing")
	// Blobs of something else, and records that somebody has edited.
	b := &blobs{container: one.Container, prefix: "c/"}
	if _, err := b.put(t.Context(), key, "hello", nil, ""); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{Native, Swap} {
		m := open(t, Config{Container: one.Container, Prefix: "c/", Mode: mode})
		_, err := m.Acquire(t.Context(), key, bob, ttl)
		permanent(t, err, "c/billing")
		_, err = m.Read(t.Context(), key)
		permanent(t, err, "c/billing")
	}
	b.prefix = "d/"
	edited := metadata(key, register.Body{Holder: alice, Term: register.MaxTerm + 1, TTL: ttl})
	if _, err := b.put(t.Context(), key, "", edited, ""); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, Config{Container: one.Container, Prefix: "d/"}).Acquire(t.Context(), key, bob, ttl)
	permanent(t, err, "unusable", "its term", "d/billing")
}

func TestAnAnswerThatIsLostIsSettledByTheNextCall(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	for _, mode := range []Mode{Native, Swap} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			p := servers.TestProxy(t, s.Addr())
			m := open(t, Config{Container: client(t, p.Addr(), "leases-"+mode.String()), Mode: mode})
			direct := open(t, Config{Container: client(t, s.Addr(), "leases-"+mode.String()), Mode: mode})
			first := acquire(t, m, alice, ttl)
			p.Set(servers.DropAnswers)
			unknown(t, "renew", m.Renew(short(t), first, ttl))
			unknown(t, "release", m.Release(short(t), first))
			p.Set(servers.Pass)
			if err := m.Release(t.Context(), first); err != nil {
				t.Fatalf("a release whose answer was lost, again: %v", err)
			}
			for _, f := range []servers.Fault{servers.DropAnswers, servers.Blackhole, servers.HalfOpen, servers.Reset} {
				p.Set(f)
				start := time.Now()
				_, err := m.Acquire(short(t), key, alice, ttl)
				unknown(t, f.String(), err)
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("%v: the call came back after %v, its context ended after 1s", f, took)
				}
				p.Set(servers.Pass)
			}
			next := acquire(t, m, alice, ttl)
			if next.Term <= first.Term {
				t.Errorf("term %d follows %d", next.Term, first.Term)
			}
			if _, err := direct.Acquire(t.Context(), key, bob, ttl); !errors.Is(err, lease.ErrHeld) {
				t.Errorf("by another: %v", err)
			}
			if err := direct.Renew(t.Context(), next, ttl); err != nil {
				t.Errorf("through another client: %v", err)
			}
		})
	}
}

func TestManyMakeTheContainerAtOnceAndOneIsGranted(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	for _, mode := range []Mode{Native, Swap} {
		granted := make([]error, 8)
		together(len(granted), func(i int) {
			m := open(t, Config{Container: client(t, s.Addr(), "fresh-"+mode.String()), Mode: mode})
			h := lease.Holder{Name: fmt.Sprint("n", i), Incarnation: "x"}
			_, granted[i] = m.Acquire(t.Context(), key, h, ttl)
		})
		won := 0
		for _, err := range granted {
			if err == nil {
				won++
			} else if !errors.Is(err, lease.ErrHeld) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d were granted the lease: %v", mode, won, granted)
		}
	}
}

func TestASignedAddressIsNotShown(t *testing.T) {
	t.Parallel()
	signed := &url.Error{Op: "Put", URL: "https://a.blob/x?sig=secret", Err: errors.New("refused")}
	err := explain(fmt.Errorf("sdk: %w", signed))
	if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("it says %v", err)
	}
}

func TestEveryFaultOfAConfigIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Prefix: "a b", Mode: 2})
	if err == nil || len(strings.Split(err.Error(), "\n")) != 3 || !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("it returned %v", err)
	}
	c := client(t, "127.0.0.1:1", "leases")
	for prefix, ok := range map[string]bool{
		"": true, "a": true, "a/b/": true, "a.b-": true, "/a": false, "a//b": false, "../a": false, "a/./b": false,
		"a?b": false, "a%2f": false, strings.Repeat("a", 200): true, strings.Repeat("a", 201): false,
	} {
		if _, err := New(Config{Container: c, Prefix: prefix}); (err == nil) != ok {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	for mode, want := range map[Mode]string{Native: "native", Swap: "swap", 2: "no mode"} {
		if mode.String() != want {
			t.Errorf("%d is %q", mode, mode)
		}
	}
}

func FuzzARecordFitsIntoMetadataAndComesBack(f *testing.F) {
	f.Add("key", "name", "inc", "http://é/😀\u2028", uint64(7))
	f.Add(`"\`, ` a `, `=`, `<&>`, uint64(1))
	f.Fuzz(func(t *testing.T, key, name, incarnation, meta string, number uint64) {
		h := lease.Holder{Name: name, Incarnation: incarnation, Meta: meta}
		b := register.Body{Holder: h, Term: lease.Term(number), TTL: ttl}
		if lease.CheckKey(key) != nil || h.Check() != nil || b.Term == 0 || b.Term > register.MaxTerm {
			return
		}
		value, ok := marked(map[string]*string{"Tenure": metadata(key, b)[marker]})
		for i := range len(value) {
			if value[i] < 0x20 || value[i] > 0x7e {
				t.Fatalf("it has the byte %#02x", value[i])
			}
		}
		if got, err := register.Decode(key, []byte(value)); err != nil || got != b || !ok || len(value) > 8000 {
			t.Fatalf("%d bytes: %+v, %v", len(value), got, err)
		}
		if other := (&blobs{}).name(key + "x"); other == (&blobs{}).name(key) || strings.ContainsAny(other, `/?#%\ .`) {
			t.Fatalf("the name of its blob is %q", other)
		}
	})
}
