package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

func TestAnAddressOfADatabaseThatCannotBeMeantIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	for address, says := range map[string]string{
		"mysql:":                                              "is not written as",
		"mysql://host/db":                                     "is not written as",
		"mysql://me:secret@host":                              "is not written as",
		"mysql://me:secret@host:x/db":                         "is not written as",
		"mysql://me:secret@host/db?secret=1":                  "is unknown",
		"mysql://me:secret@host/db?tls=maybe":                 "none of true",
		"mysql://me:secret@host/db?poll=often":                "poll",
		"mysql://me:secret@host/db?poll=-1s":                  "no length of time",
		"mysql://me:secret@host/db?relaxed=often":             "relaxed",
		"mysql://me:secret@host/db?table=a%20b":               "Config.Table",
		"mysql://me:secret@host/db?%zz":                       "NAME=VALUE",
		"mysql://me:secret@host/db?ca=/missing":               "/missing",
		"mysql://me:secret@host/db?ca=/missing&tls=preferred": "leave tls=preferred out",
		"sqlite:":                              "names no file",
		"sqlite://relative":                    "names no file",
		"sqlite:" + file + "?tls=true":         "is unknown",
		"sqlite:" + file + "?create=on":        "is unknown",
		"mysql://me:secret@host/db?create=yes": "is neither on nor off",
	} {
		s, err := store.Open(address)
		if s != nil || !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want ErrURL that says %q", address, err, says)
		} else if strings.Contains(err.Error(), "me:secret") {
			t.Errorf("%s: error %q gives the password away", address, err)
		}
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an address that is refused made a file: %v", err)
	}
}

func TestAServerThatIsNotThereYetIsNoFaultOfItsAddress(t *testing.T) {
	t.Setenv("MYSQL_PWD", "secret")
	s, err := store.Open("mysql://me@127.0.0.1:1/db?table=t&poll=5s&tls=skip-verify&relaxed=true")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), "k")
	if err == nil || errors.Is(err, lease.ErrPermanent) || strings.Contains(err.Error(), "secret") {
		t.Errorf("it returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestADatabaseFileIsMadePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20#.db")
	for _, address := range []string{"sqlite:" + path, "sqlite://" + path + "?table=other"} {
		s, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Acquire(t.Context(), "k", lease.Holder{Name: "n", Incarnation: "x"}, time.Minute); err != nil {
			t.Error(err)
		}
		for _, beside := range []string{"", "-wal"} {
			info, err := os.Stat(path + beside)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has the mode %v", info.Name(), info.Mode())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Open("sqlite:" + filepath.Join(path, "below")); err == nil || errors.Is(err, store.ErrURL) {
		t.Errorf("a file below a file: %v", err)
	}
}
