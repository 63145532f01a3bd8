package nats

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/lease"
)

const good = `{"tenure":1,"key":"k","epoch":7,"nonce":"n","holder":"a","incarnation":"1","ttl":"15s"}`

func TestWhatOthersWroteIsNoLease(t *testing.T) {
	t.Parallel()
	m := open(t, serve(t).Addr())
	b, err := m.js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ value, says string }{
		"empty":          {"", "not the JSON of a lease"},
		"text":           {"hello", "not the JSON of a lease"},
		"other JSON":     {`{"key":"k"}`, `no field "tenure"`},
		"a later format": {`{"tenure":2}`, "its format is 2"},
		"unknown field":  {`{"tenure":1,"x":1}`, "not the JSON of a lease"},
		"two values":     {good + good, "not the JSON of a lease"},
		"another key":    {strings.Replace(good, `"k"`, `"j"`, 1), `belongs to the key "j"`},
		"no holder":      {strings.Replace(good, `"a"`, `""`, 1), "it has no holder"},
		"bad holder":     {strings.Replace(good, `"1"`, `""`, 1), "incarnation has 0 bytes"},
		"no length":      {strings.Replace(good, "15s", "-15s", 1), "is not a duration"},
		"great term":     {strings.Replace(good, `"epoch":7`, `"term":9007199254740993`, 1), "too great"},
		"too long":       {strings.Repeat(" ", maxSize+1), "longer than 8192 bytes"},
	} {
		if _, err := b.PutString(t.Context(), "k", c.value); err != nil {
			t.Fatal(err)
		}
		_, err := m.Acquire(t.Context(), "k", holder("b"), time.Minute)
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), c.says) ||
			!strings.Contains(err.Error(), "nats kv purge leases 'k'") {
			t.Errorf("%s: Acquire = %v; want a permanent error that says %q and the remedy", name, err, c.says)
		}
		if _, err := m.Read(t.Context(), "k"); !errors.Is(err, lease.ErrPermanent) {
			t.Errorf("%s: Read = %v; want a permanent error", name, err)
		}
	}
	for name, end := range map[string]func() error{
		"delete": func() error { return b.Delete(t.Context(), "k") },
		"purge":  func() error { return b.Purge(t.Context(), "k", jetstream.PurgeTTL(time.Minute)) },
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if l := grant(t, m, "k", holder(name), time.Minute); l.Term == 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func FuzzWhatIsWrittenIsALeaseOrAnError(f *testing.F) {
	for _, s := range []string{
		"", "{", "null", good, good + " ", good + "x", `{"tenure":1}`, `{"tenure":null}`, strings.Repeat("[", 9000),
		`{"tenure":1,"key":"k","term":7}`, strings.Replace(good, "15s", "9999999999999h", 1),
		strings.Replace(good, `"a"`, `"\u0000"`, 1), strings.Replace(good, "7", "9007199254740992", 1),
	} {
		f.Add("k", uint64(3), false, []byte(s))
		f.Add("k", uint64(1<<63), true, []byte(s))
	}
	m := &Manager{bucket: bucket}
	f.Fuzz(func(t *testing.T, key string, seq uint64, over bool, text []byte) {
		s, err := m.sight(key, seq, over, text)
		switch {
		case err != nil:
			if s.Lease != (lease.Lease{}) || s.ttl != 0 || !errors.Is(err, lease.ErrPermanent) || over {
				t.Fatalf("%+v beside the error %v", s, err)
			}
		case over:
			if !s.Holder.IsZero() || s.Term > maxTerm {
				t.Fatalf("%q ends a lease and is taken for %+v", text, s)
			}
		case s.Holder.Check() != nil || s.ttl <= 0 || s.Term > maxTerm || s.Key != key || s.seq != seq:
			t.Fatalf("%q is taken for %+v", text, s)
		}
	})
}

func TestKeysAreKeptApartInSubjects(t *testing.T) {
	for key, want := range map[string]string{
		"billing/eu-west_1": "billing/eu-west_1", "a.b": "a=2Eb", "a=2Eb": "a=3D2Eb", " *>": "=20=2A=3E", "~": "=7E",
	} {
		if got := escape(key); got != want {
			t.Errorf("%q is written as %q; want %q", key, got, want)
		}
		if got, ok := unescape(want); got != key || !ok {
			t.Errorf("%q is read as %q, %t; want %q", want, got, ok, key)
		}
	}
	for _, foreign := range []string{"a.b", "a=2eb", "%41", "=4", "=41"} {
		if key, ok := unescape(foreign); ok {
			t.Errorf("%q is taken for the subject of %q", foreign, key)
		}
	}
}
