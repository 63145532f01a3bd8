package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestAnAddressOfRedisSaysAllThatIsNeeded(t *testing.T) {
	s := servers.Test(t, servers.Redis("--requirepass", "p@ss/word"))
	for i, address := range []string{
		"redis://:p%40ss%2Fword@" + s.Addr(), "redis://default:p%40ss%2Fword@" + s.Addr() + "/3?prefix=x:&replicas=0",
	} {
		m, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		l, err := m.Acquire(t.Context(), "k", lease.Holder{Name: "n", Incarnation: fmt.Sprint(i)}, time.Minute)
		if err != nil { // the second would be refused if database and prefix were left out of account
			t.Fatal(err)
		}
		if err := errors.Join(m.Release(t.Context(), l), m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	}
	m, err := store.Open("redis://:wrong-word@" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	_, err = m.Read(t.Context(), "k")
	if !errors.Is(err, lease.ErrPermanent) || strings.Contains(err.Error(), "wrong-word") {
		t.Errorf("%v; want a permanent fault that keeps the password to itself", err)
	}
}

func TestAnAddressOfRedisThatCannotBeMeantIsRefused(t *testing.T) {
	for address, says := range map[string]string{
		"redis:":                                         "names no host",
		"redis://":                                       "names no host",
		"redis:host":                                     "no address of Redis",
		"redis://:sec/ret@host":                          "an @ behind the host",
		"redis://me:secret@host:port":                    "no address of Redis",
		"redis://me:secret@host/db":                      "is no number",
		"redis://me:secret@host/-1":                      "is no number",
		"redis://me:secret@host?colour=red":              `"colour" is unknown`,
		"redis://me:secret@host?prefix=a&prefix=":        "2 times",
		"redis://me:secret@host?replicas=many":           "is no number",
		"redis://me:secret@host?cluster=perhaps":         "true or false",
		"redis://me:secret@host?cluster=true&sentinel=x": "no Sentinels",
		"rediss://me:secret@host/1?cluster=true":         "no databases",
		"redis://me:secret@host?addr=other:1":            "a cluster",
		"redis://me:secret@host?addr=other":              "no HOST:PORT",
		"redis://me:secret@host?%zz":                     "NAME=VALUE",
		"redis://me:secret@host?ca=/missing":             "write rediss://",
		"rediss://me:secret@host?ca=/missing":            "/missing",
		"rediss://me:secret@host?ca=":                    "ca names no file",
		"rediss://me:secret@host?ca=/dev/null":           "holds no certificate",
		"rediss://me:secret@host?cert=/missing":          "belong together",
		"rediss://me:secret@host?cert=/missing&key=/no":  "/missing",
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error is %v; want ErrURL that says %q", address, err, says)
		}
	}
	_, err := store.Open("redis://me:secret@host?prefix={}&replicas=-1")
	for _, says := range []string{"Config.Prefix", "Config.Replicas"} {
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\n") ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("error is %v; want ErrURL that says %q in one line", err, says)
		}
	}
}
