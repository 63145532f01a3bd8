package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// secured reports whether parameters name a file that is of use only with TLS.
func secured(parameters url.Values) bool {
	return parameters.Has("ca") || parameters.Has("cert") || parameters.Has("key")
}

// tlsConfig reads the files that the parameters ca, cert and key name, in PEM. Without ca the authorities that the host
// trusts are trusted, otherwise those in the file and no others. Certificate and key are read anew for each connection:
// they may be replaced before they expire.
func tlsConfig(parameters url.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, cert, key := parameters.Get("ca"), parameters.Get("cert"), parameters.Get("key")
	for _, name := range []string{"ca", "cert", "key"} {
		if parameters.Has(name) && parameters.Get(name) == "" {
			return nil, fmt.Errorf("%s names no file", name)
		}
	}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM", ca)
		}
	}
	switch {
	case (cert == "") != (key == ""):
		return nil, errors.New("cert and key belong together")
	case cert != "":
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				err = fmt.Errorf("cert and key: %w", err)
			}
			return &pair, err
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return c, nil
}
