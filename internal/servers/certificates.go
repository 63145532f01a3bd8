//go:build linux

package servers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are files in PEM: an authority, and what it has signed for a server on 127.0.0.1 and for a client.
type Certificates struct {
	CA                    string
	Cert, Key             string // the server's
	ClientCert, ClientKey string // a client's, whose common name is tenure
}

// NewCertificates makes all of them in a directory, for a day. Each authority is trusted by those who read its file and
// by nobody else.
func NewCertificates(dir string) (Certificates, error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	c := Certificates{in("ca.crt"), in("server.crt"), in("server.key"), in("client.crt"), in("client.key")}
	authority := certificate("authority " + rand.Text()) // OpenSSL tells those of one name apart by their signatures only
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	key, err := issue(c.CA, "", authority, authority, nil)
	if err != nil {
		return c, err
	}
	server := certificate("server")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := certificate("tenure")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	_, err = issue(c.Cert, c.Key, server, authority, key)
	_, also := issue(c.ClientCert, c.ClientKey, client, authority, key)
	return c, errors.Join(err, also)
}

func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// issue writes a certificate signed with the parent's key, and the key that it is for, unless its file is "". Without a
// parent's key it is signed with its own, which is returned.
func issue(file, keyFile string, c, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		signer = key
	}
	text, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text}), 0o644); err != nil {
		return nil, err
	}
	if keyFile == "" {
		return key, nil
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600)
}

// Config returns what a client needs that has a certificate and trusts the authority and nobody else.
func (c Certificates) Config() (*tls.Config, error) {
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("servers: %s holds no certificate", c.CA)
	}
	pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, err
}

// Certificates returns the files of a server that speaks TLS, see [Secure].
func (i Instance) Certificates() Certificates {
	in := func(name string) string { return filepath.Join(filepath.Dir(i.Dir), "tls", name) }
	return Certificates{in("ca.crt"), in("server.crt"), in("server.key"), in("client.crt"), in("client.key")}
}

// certify makes the files of [Instance.Certificates], which stay the same across restarts with and without the data.
func (s *Server) certify() error {
	if !s.spec.secure {
		return nil
	}
	dir := filepath.Join(s.base, "tls")
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	c, err := NewCertificates(dir)
	if as := s.spec.credential(); as != nil && err == nil {
		err = os.Chown(c.Key, int(as.Uid), int(as.Gid))
	}
	return err
}

// dial connects to the n-th port. If the server speaks TLS, it does so on the first.
func (i Instance) dial(ctx context.Context, n int) (net.Conn, error) {
	if n > 0 || !i.spec.secure {
		return new(net.Dialer).DialContext(ctx, "tcp", i.AddrOf(n))
	}
	config, err := i.Certificates().Config()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", i.AddrOf(n))
}
