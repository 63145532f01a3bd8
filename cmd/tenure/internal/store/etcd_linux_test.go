package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestAnAddressOfEtcdThatCannotBeMeantIsRefused(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, says := range map[string]string{
		"etcd:":                                   "names no server",
		"etcd:localhost:2379":                     "names no server",
		"etcd://":                                 "names no server",
		"etcd:///prefix":                          "names no server",
		"etcd://a:1,,b:2":                         "names no server",
		"etcd://localhost":                        `"localhost" is not HOST:PORT`,
		"etcd://a:1,b":                            `"b" is not HOST:PORT`,
		"etcd://a:1,b:x/p":                        `"b:x" is not HOST:PORT`,
		"etcd://secret@a:1":                       "a user needs a password",
		"etcd://:secret@a:1":                      "a user needs a password",
		"etcd://me:sec%ret@a:1":                   "cannot be read",
		"etcd://me:secret@a:1?time=1":             `the parameter "time" is unknown`,
		"etcd://me:secret@a:1/p?tls=1&tls=1":      "given twice",
		"etcd://me:secret@a:1/p?tls=maybe":        "tls=maybe is not known",
		"etcd://me:secret@a:1/p?ca=/missing":      "/missing",
		"etcd://me:secret@a:1/p?ca=" + plain:      "holds no certificate",
		"etcd://me:secret@a:1?cert=" + plain:      "cert and key",
		"etcd://me:secret@a:1/p%0a?tls=true":      "not printable ASCII",
		"etcd://me:secret@a:1/p?%zz=1":            "what follows the ?",
		"etcd://a:1/" + strings.Repeat("p", 2000): "at most 1024",
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want ErrURL that says %q", address, err, says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %q gives the password away", address, err)
		}
	}
}

func TestEtcdIsReachedByItsAddress(t *testing.T) {
	s := servers.Test(t, servers.Etcd())
	var last lease.Term
	for _, address := range []string{"etcd://" + s.Addr() + "/a", "etcd://" + s.Addr() + "," + s.Addr() + "/a/",
		"etcd://" + s.Addr() + "/b"} {
		m, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		h := lease.Holder{Name: "node", Incarnation: "x"}
		l, err := m.Acquire(t.Context(), "k", h, time.Minute)
		if err != nil || l.Term <= last {
			t.Errorf("%s: %+v after term %d, %v", address, l, last, err)
		}
		last = l.Term
		if _, ok := m.Manager.(lease.Watcher); !ok {
			t.Error("it cannot be watched")
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	m, err := store.Open("etcd://" + s.Addr() + "/a")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Read(t.Context(), "k"); err != nil || r.Term == 0 || r.Term == last {
		t.Errorf("%+v, %v; prefixes are not kept apart", r, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
