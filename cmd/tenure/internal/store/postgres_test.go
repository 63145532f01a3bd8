//go:build linux

package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestPostgresIsReachedByURL(t *testing.T) {
	s := servers.Test(t, servers.Postgres())
	pooler := servers.Test(t, servers.PgBouncer(s.Addr()))
	at := "postgres://postgres@" + s.Addr() + "/postgres"
	h := lease.Holder{Name: "a", Incarnation: lease.NewIncarnation()}
	acquire := func(address string) error {
		m, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(m.Close(), m.Close()); err != nil {
				t.Error(err)
			}
		}()
		_, err = m.Acquire(t.Context(), "k", h, time.Minute)
		return err
	}
	asker, err := store.Open(at + "?table=asked&create=on")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = asker.Close() }()
	if r, err := asker.Read(t.Context(), "k"); err != nil || !r.Vacant() {
		t.Errorf("whoever asks with create=on is told %v, %v", r, err)
	}
	err = acquire(at)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "tenure_lease does not exist") {
		t.Errorf("without a table: %v", err)
	}
	for _, address := range []string{
		at + "?create=on", at, at + "?table=public.other&create=on", at + "?table=other&application_name=x",
		"postgres://postgres@" + pooler.Addr() + "/postgres?listen=off",
	} {
		if err := acquire(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := acquire(at + "?nosuch=parameter"); err == nil || !strings.Contains(err.Error(), `"nosuch"`) {
		t.Errorf("a parameter that nobody knows: %v", err)
	}
}

func TestAddressesOfPostgresThatCannotBeMeantAreRefused(t *testing.T) {
	for address, says := range map[string]string{
		"postgres:":                                "no URL of PostgreSQL",
		"postgres://":                              "no URL of PostgreSQL",
		"postgres://me:secret@host/db#part":        "no URL of PostgreSQL",
		"postgres://me:secret@%zz/db":              "no URL of PostgreSQL",
		"postgres://me:secret@host/db?table=a;b":   "no URL of PostgreSQL",
		"postgres://me:secret@host/db?table=1":     `Config.Table: "1"`,
		"postgres://me:secret@host/db?listen=yes":  "listen=on or listen=off",
		"postgres://me:secret@host/db?create=1":    "create=on or create=off",
		"postgres://me:secret@host/db?sslmode=odd": "pgx cannot use",
		"postgres://me:secret@host:port/db":        "no URL of PostgreSQL",
	} {
		m, err := store.Open(address)
		if err == nil {
			_ = m.Close()
		}
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want ErrURL that says %q", address, err, says)
		}
	}
}
