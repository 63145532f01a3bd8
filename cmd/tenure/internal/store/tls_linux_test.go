package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// secured is a store over TLS: its server, and its address with the files of c, without those that are "".
type secured struct {
	spec    servers.Spec
	address func(s *servers.Server, c servers.Certificates) string
	mutual  bool // the server wants the client's certificate, too
	prepare func(s *servers.Server) error
}

// with adds parameters to an address unless they are empty.
func with(address string, names ...string) string {
	q := url.Values{}
	for i := 0; i < len(names); i += 2 {
		if names[i+1] != "" {
			q.Set(names[i], names[i+1])
		}
	}
	if strings.Contains(address, "?") {
		return address + "&" + q.Encode()
	}
	return address + "?" + q.Encode()
}

func overTLS() map[string]secured {
	files := func(form string) func(*servers.Server, servers.Certificates) string {
		return func(s *servers.Server, c servers.Certificates) string {
			return with(strings.Replace(form, "%", s.Addr(), 1), "ca", c.CA, "cert", c.ClientCert, "key", c.ClientKey)
		}
	}
	return map[string]secured{
		"redis":  {spec: servers.Redis(), address: files("rediss://%"), mutual: true},
		"valkey": {spec: servers.Valkey(), address: files("rediss://%/1?prefix=x:"), mutual: true},
		"etcd":   {spec: servers.Etcd(), address: files("etcd://%/p?tls=true"), mutual: true},
		"nats":   {spec: servers.NATS(), address: files("nats://%/leases?create=1&tls=true"), mutual: true},
		"mysql":  {spec: servers.MariaDB(), address: files("mysql://root@%/test?create=on&tls=true"), prepare: database},
		"postgres": {spec: servers.Postgres(), address: func(s *servers.Server, c servers.Certificates) string {
			return with("postgres://postgres@"+s.Addr()+"/postgres?create=on&sslmode=verify-full", "sslrootcert", c.CA,
				"sslcert", c.ClientCert, "sslkey", c.ClientKey)
		}},
		"s3": {spec: servers.VersityGW(), address: func(s *servers.Server, c servers.Certificates) string {
			return with("s3://leases/?region=us-east-1&path-style=true&endpoint="+url.QueryEscape("https://"+s.Addr()),
				"ca", c.CA, "cert", c.ClientCert, "key", c.ClientKey)
		}, prepare: func(s *servers.Server) error {
			return os.Mkdir(filepath.Join(s.Dir, "objects", "leases"), 0o700)
		}},
	}
}

func TestStoresAreReachedOverTLSAndStrangersAreRefused(t *testing.T) {
	quiet(t)
	for name, k := range overTLS() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servers.Test(t, servers.Secure(k.spec))
			if k.prepare != nil {
				if err := k.prepare(s); err != nil {
					t.Fatal(err)
				}
			}
			mine := s.Certificates()
			tenure(t, k.address(s, mine))
			other, err := servers.NewCertificates(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			wrong, none, bare, stranger := mine, mine, mine, mine
			wrong.CA, none.CA = other.CA, ""
			bare.ClientCert, bare.ClientKey = "", ""
			stranger.ClientCert, stranger.ClientKey = other.ClientCert, other.ClientKey
			distrusts(t, k.address(s, wrong), "the server's certificate")
			distrusts(t, k.address(s, none), "the server's certificate")
			if k.mutual {
				distrusts(t, k.address(s, bare), closed...)
				distrusts(t, k.address(s, stranger), closed...)
			} else {
				tenure(t, k.address(s, bare))
			}
		})
	}
}

// A certificate is replaced before it runs out, and the process goes on.
func TestACertificateThatIsReplacedIsUsedForTheNextConnection(t *testing.T) {
	s := servers.Test(t, servers.Secure(servers.Redis()))
	mine := s.Certificates()
	used, err := servers.NewCertificates(t.TempDir()) // of another authority, as if it had run out
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.Open(with("rediss://"+s.Addr(), "ca", mine.CA, "cert", used.ClientCert, "key", used.ClientKey))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if _, err := m.Read(t.Context(), "k"); err == nil {
		t.Error("a certificate of another authority is good enough")
	}
	for from, to := range map[string]string{mine.ClientCert: used.ClientCert, mine.ClientKey: used.ClientKey} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Read(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

func TestTheBundleOfTheEnvironmentIsTrustedForS3(t *testing.T) {
	quiet(t)
	k := overTLS()["s3"]
	s := servers.Test(t, servers.Secure(k.spec))
	if err := k.prepare(s); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", s.Certificates().CA)
	tenure(t, k.address(s, servers.Certificates{}))
}

// Both speak HTTP, so any server will do that is not trusted: not a word of HTTP is exchanged.
func TestStoresThatAlwaysSpeakTLSRefuseStrangers(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	other, err := servers.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "")
	t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
	host := s.Listener.Addr().String()
	for _, address := range []string{
		"kubernetes://" + host + "/default", with("kubernetes://"+host+"/default", "ca-file", other.CA),
		with("azblob://account/leases", "endpoint", s.URL+"/account"),
	} {
		distrusts(t, address, "the server's certificate")
	}
}

// tenure fails unless the lease can be taken, seen and given back at address.
func tenure(t *testing.T, address string) {
	t.Helper()
	m, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := m.Acquire(ctx, "k", lease.Holder{Name: "n", Incarnation: lease.NewIncarnation()}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Read(ctx, "k"); err != nil || r.Lease != l {
		t.Errorf("%+v, %v; want %+v", r, err, l)
	}
	if err := m.Release(ctx, l); err != nil {
		t.Error(err)
	}
}

// closed is what a client hears of a server that does not take its certificate. With TLS 1.3 the server says so when
// the client already writes, and then nothing but the end of the connection may be heard.
var closed = []string{
	"the client's certificate", "broken pipe", "connection reset", "closed by remote after TLS handshake", "EOF",
}

// distrusts fails unless the store comes to say in one line one of says, which lasts if it is about certificates.
func distrusts(t *testing.T, address string, says ...string) {
	t.Helper()
	m, err := store.Open(address)
	if err != nil {
		t.Errorf("it is not even opened: %v", err)
		return
	}
	defer func() { _ = m.Close() }()
	try := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.Acquire(ctx, "k", lease.Holder{Name: "n", Incarnation: "i"}, time.Minute)
		_, also := m.Read(ctx, "k")
		if err == nil || also == nil {
			t.Fatalf("a stranger is let in: %v, %v", err, also)
		}
		return err
	}
	for end := time.Now().Add(time.Minute); ; {
		err := try()
		told := slices.ContainsFunc(says, func(s string) bool { return strings.Contains(err.Error(), s) })
		lasts := errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "'s certificate")
		if told && lasts && !strings.Contains(err.Error(), "\n") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v, permanent %t; want one line about one of %q", err, errors.Is(err, lease.ErrPermanent), says)
		}
	}
}

// database makes the database test of MariaDB.
func database(s *servers.Server) error {
	db, err := sql.Open("mysql", "root@tcp("+s.Addr()+")/")
	if err != nil {
		return err
	}
	_, err = db.Exec("CREATE DATABASE test")
	return errors.Join(err, db.Close())
}
