package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate is one that signs itself.
func certificate(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"right"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// handshake returns what a client is told by a server; it reads, for a client's certificate is refused after it.
func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(a, server)
		if s.Handshake() == nil {
			_, _ = s.Write([]byte("welcome"))
		}
		_ = a.Close()
	}()
	c := tls.Client(b, client)
	_, err := c.Read(make([]byte, 1))
	_ = b.Close()
	<-done
	return err
}

func TestFaultsOfCertificatesLastAndSayWhatToDo(t *testing.T) {
	plain := func(*x509.Certificate) {}
	cert, pool := certificate(t, plain)
	expired, expiredPool := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	address, addressPool := certificate(t, func(c *x509.Certificate) { c.DNSNames = nil })
	_, stranger := certificate(t, plain)
	serve := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	asks := serve(cert)
	asks.ClientAuth, asks.ClientCAs = tls.RequireAndVerifyClientCert, stranger
	old := asks.Clone()
	old.MaxVersion = tls.VersionTLS12
	with := &tls.Config{RootCAs: pool, ServerName: "right", Certificates: []tls.Certificate{cert}}
	for what, c := range map[string]struct {
		server, client *tls.Config
		says           string
	}{
		"unknown authority": {serve(cert), &tls.Config{RootCAs: stranger, ServerName: "right"}, "authority"},
		"another name":      {serve(cert), &tls.Config{RootCAs: pool, ServerName: "wrong"}, "another name"},
		"no name":           {serve(address), &tls.Config{RootCAs: addressPool, ServerName: "right"}, "no name"},
		"no address":        {serve(cert), &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}, "no IP address"},
		"expired":           {serve(expired), &tls.Config{RootCAs: expiredPool, ServerName: "right"}, "run out"},
		"client without":    {asks, &tls.Config{RootCAs: pool, ServerName: "right"}, "the client's certificate"},
		"strange client":    {asks, with, "the client's certificate"},
		"TLS 1.2":           {old, with, "the client's certificate"},
	} {
		t.Run(what, func(t *testing.T) {
			cause := handshake(c.server, c.client)
			for _, err := range []error{cause, fmt.Errorf("dial: %w", cause), errors.New("as text: " + cause.Error())} {
				got := Explain(err)
				if !errors.Is(got, lease.ErrPermanent) || !errors.Is(got, err) || !strings.Contains(got.Error(), c.says) {
					t.Errorf("%v; want a fault that lasts and says %q", got, c.says)
				}
			}
		})
	}
	if err := handshake(serve(cert), &tls.Config{RootCAs: pool, ServerName: "right"}); err != nil {
		t.Errorf("%v; so the cases above fail for another reason", err)
	}
}

func TestAServerWithoutTLSIsOne(t *testing.T) {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		go func() { _, _ = io.Copy(io.Discard, a) }()
		_, _ = a.Write([]byte("-ERR what do you mean\r\n"))
		_ = a.Close()
	}()
	err := tls.Client(b, &tls.Config{ServerName: "right"}).Handshake()
	_ = b.Close()
	<-done
	if err := Explain(err); !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "no TLS") {
		t.Error(err)
	}
}

func TestOtherFaultsPass(t *testing.T) {
	for _, err := range []error{nil, io.EOF, io.ErrUnexpectedEOF, errors.New("remote error: tls: internal error"),
		errors.New("dial tcp 127.0.0.1:1: connect: connection refused")} {
		if got := Explain(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
