package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/nats"
)

func TestAnAddressOfNATSThatCannotBeMeantIsRefused(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, says := range map[string]string{
		"nats:":                                             "names no server",
		"nats://":                                           "names no server",
		"nats://localhost:4222":                             "no bucket",
		"nats:///bucket":                                    "names no server",
		"nats://a:1,,b:2/bucket":                            "names no server",
		"nats://localhost/bucket":                           `"localhost" is not HOST:PORT`,
		"nats://a:1,b/bucket":                               `"b" is not HOST:PORT`,
		"nats://secret@a:1/bucket":                          "a user needs a password",
		"nats://:secret@a:1/bucket":                         "a user needs a password",
		"nats://me:sec%ret@a:1/bucket":                      "cannot be read",
		"nats://me:secret@a:1/bucket?time=1":                `the parameter "time" is unknown`,
		"nats://me:secret@a:1/bucket?%zz=1":                 "what follows the ?",
		"nats://a:1/bucket?create=2":                        "create=\"2\" is no number of replicas",
		"nats://a:1/bucket?creds=/missing":                  "/missing",
		"nats://a:1/bucket?ca=/missing":                     "/missing",
		"nats://a:1/bucket?cert=/missing":                   "belong together",
		"nats://a:1/bucket?tls=maybe":                       "write tls=true",
		"nats://a:1/bucket?cert=" + plain:                   "cert and key belong together",
		"nats://a:1/bucket?cert=" + plain + "&key=" + plain: "cert and key:",
		"nats://me:secret@127.0.0.1:1/a.b":                  `"a.b" is no name of a bucket`,
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want ErrURL that says %q", address, err, says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %q gives the password away", address, err)
		}
	}
}

func TestABucketIsMadeIfTheAddressAsksForIt(t *testing.T) {
	s := servers.Test(t, servers.NATS())
	read := func(address string) error {
		m, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		_, err = m.Read(t.Context(), "k")
		return errors.Join(err, m.Close())
	}
	at := "nats://" + s.Addr() + "/leases"
	if err := read(at); !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "create=3") {
		t.Errorf("without a bucket: %v", err)
	}
	for _, address := range []string{at + "?create=1", at + "?create=1", at + "?create=3", at} { // the second finds it
		if err := read(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := read("nats://" + s.Addr() + "/other?create=3"); err == nil { // which takes a cluster
		t.Error("three replicas on one server were made")
	}
}

func TestNATSIsReachedByItsAddress(t *testing.T) {
	s := servers.Test(t, servers.NATS())
	nc, err := natsio.Connect("nats://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), nats.Bucket("leases", 1)); err != nil {
		t.Fatal(err)
	}
	var last lease.Term
	for _, hosts := range []string{s.Addr(), s.Addr() + "," + s.Addr()} {
		m, err := store.Open("nats://" + hosts + "/leases")
		if err != nil {
			t.Fatal(err)
		}
		l, err := m.Acquire(t.Context(), "k", lease.Holder{Name: "node", Incarnation: "x"}, time.Minute)
		if err != nil || l.Term <= last {
			t.Errorf("%+v after term %d, %v", l, last, err)
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
}
