package etcd

import (
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/lease"
)

const good = `{"tenure":1,"key":"k","holder":"a","incarnation":"1","ttl":"15s"}`

func TestWhatOthersWroteIsNoLease(t *testing.T) {
	t.Parallel()
	m := open(t, shared.Addr())
	own, err := m.client.Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value string
		id    clientv3.LeaseID
		says  string
	}{
		"empty":          {"", own.ID, "not the JSON of a lease"},
		"text":           {"hello", own.ID, "not the JSON of a lease"},
		"other JSON":     {`{"key":"k"}`, own.ID, `no field "tenure"`},
		"a later format": {`{"tenure":2}`, own.ID, "its format is 2"},
		"unknown field":  {`{"tenure":1,"x":1}`, own.ID, "not the JSON of a lease"},
		"two values":     {good + good, own.ID, "not the JSON of a lease"},
		"another key":    {strings.Replace(good, `"k"`, `"j"`, 1), own.ID, `belongs to the key "j"`},
		"no holder":      {strings.Replace(good, `"a"`, `""`, 1), own.ID, "name has 0 bytes"},
		"no length":      {strings.Replace(good, "15s", "-15s", 1), own.ID, "is not a duration"},
		"too long":       {strings.Repeat(" ", maxSize+1), own.ID, "longer than 8192 bytes"},
		"no end":         {good, clientv3.NoLease, "would never end"},
	} {
		if _, err := m.client.Put(t.Context(), m.dir("k")+"x", c.value, clientv3.WithLease(c.id)); err != nil {
			t.Fatal(err)
		}
		_, err := m.Acquire(t.Context(), "k", holder("b"), time.Minute)
		if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), c.says) ||
			!strings.Contains(err.Error(), `etcdctl del --prefix -- "tenure/k/"`) {
			t.Errorf("%s: Acquire = %v; want a permanent error that says %q and the remedy", name, err, c.says)
		}
		if _, err := m.Read(t.Context(), "k"); !errors.Is(err, lease.ErrPermanent) {
			t.Errorf("%s: Read = %v; want a permanent error", name, err)
		}
	}
	if err := deleteDir(t.Context(), m, "k"); err != nil {
		t.Fatal(err)
	}
	l := grant(t, m, "k", holder("b"), time.Minute)
	if _, err := m.client.Put(t.Context(), m.dir("k")+"x", "hello"); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), l, time.Minute); !errors.Is(err, lease.ErrPermanent) {
		t.Errorf("Renew beside something else = %v; want a permanent error", err)
	}
	if err := deleteDir(t.Context(), m, "k"); err != nil {
		t.Fatal(err)
	}
}

func FuzzWhatStandsInEtcdIsALeaseOrAnError(f *testing.F) {
	for _, s := range []string{
		"", "{", "null", good, good + " ", good + "x", `{"tenure":1}`, `{"tenure":null}`, strings.Repeat("[", 9000),
		strings.Replace(good, "15s", "9999999999999h", 1), strings.Replace(good, `"a"`, `"\u0000"`, 1),
	} {
		f.Add("k", []byte(s))
	}
	f.Fuzz(func(t *testing.T, key string, text []byte) {
		h, ttl, err := decode(key, text)
		if err != nil {
			if h != (lease.Holder{}) || ttl != 0 {
				t.Fatalf("%+v and %v beside the error %v", h, ttl, err)
			}
			return
		}
		if h.Check() != nil || ttl <= 0 {
			t.Fatalf("%q is taken for %+v with %v", text, h, ttl)
		}
		again, length, err := decode(key, []byte(encode(key, h, ttl)))
		if err != nil || again != h || length != ttl {
			t.Fatalf("written again it is %+v with %v, %v; want %+v with %v", again, length, err, h, ttl)
		}
	})
}

func FuzzANameBelongsToOneKey(f *testing.F) {
	for _, s := range []string{"k", "a/b", "a%2Fb", "%", "..", " ", "tenure/"} {
		f.Add(s, "tenure/"+s+"/1")
	}
	m := &Manager{prefix: "tenure/"}
	f.Fuzz(func(t *testing.T, key, name string) {
		if got, ok := m.keyOf(m.dir(key) + "0011"); !ok || got != key {
			t.Errorf("%q is taken for %q, %v", key, got, ok)
		}
		if got, ok := m.keyOf(name); ok && !strings.HasPrefix(name, m.dir(got)) {
			t.Errorf("%q is taken for the key %q", name, got)
		}
	})
}
