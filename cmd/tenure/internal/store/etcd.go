package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/go-tenure/tenure/lease/etcd"
)

// openEtcd opens etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/PREFIX with the parameters tls, ca, cert and key.
func openEtcd(address string) (Manager, func() error, error) {
	c, prefix, err := etcdConfig(address)
	if err != nil {
		return nil, nil, err
	}
	if err := (etcd.Config{Client: &clientv3.Client{}, Prefix: prefix}).Check(); err != nil {
		return nil, nil, fault("%v", err)
	}
	client, err := clientv3.New(c)
	if err != nil {
		return nil, nil, fmt.Errorf("etcd at %s: %w", strings.Join(c.Endpoints, ", "), err)
	}
	m, err := etcd.New(etcd.Config{Client: client, Prefix: prefix})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	closed := false
	return m, func() error {
		if closed {
			return nil
		}
		closed = true
		return client.Close()
	}, nil
}

func etcdConfig(address string) (c clientv3.Config, prefix string, err error) {
	// A list of hosts is no host to package url, so it is taken out first.
	rest, ok := strings.CutPrefix(address, "etcd://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	if !ok || slices.Contains(strings.Split(hosts, ","), "") {
		return c, "", fault("etcd: names no server; write etcd://HOST:PORT,HOST:PORT/PREFIX")
	}
	u, err := url.Parse("etcd://" + user + "host/" + path)
	if err != nil {
		return c, "", fault("etcd: the address cannot be read; write etcd://HOST:PORT/PREFIX and escape what is special")
	}
	if u.User != nil {
		c.Username = u.User.Username()
		c.Password, _ = u.User.Password()
		if c.Username == "" || c.Password == "" {
			return c, "", fault("etcd: a user needs a password, and a password a user; for certificates give cert and key")
		}
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return c, "", fault("etcd: what follows the ? cannot be read; write NAME=VALUE&NAME=VALUE")
	}
	if c.TLS, err = etcdTLS(parameters); err != nil {
		return c, "", err
	}
	scheme := "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	for _, host := range strings.Split(hosts, ",") {
		if e, err := url.Parse(scheme + host); err != nil || e.Port() == "" || e.Hostname() == "" || e.Path != "" {
			return c, "", fault("etcd: %q is not HOST:PORT", host)
		}
		c.Endpoints = append(c.Endpoints, scheme+host)
	}
	// The least that gRPC allows; the client says nothing on its own.
	c.DialKeepAliveTime, c.DialKeepAliveTimeout = 10*time.Second, 3*time.Second
	c.DialTimeout, c.Logger = 10*time.Second, zap.NewNop()
	return c, strings.TrimPrefix(u.Path, "/"), nil
}

// etcdTLS reads the parameters tls=true, ca, cert and key, which name files. Any of them means TLS.
func etcdTLS(parameters url.Values) (*tls.Config, error) {
	for name, values := range parameters {
		if !slices.Contains([]string{"tls", "ca", "cert", "key"}, name) || len(values) != 1 {
			return nil, fault("etcd: the parameter %q is unknown or given twice; there are tls, ca, cert and key", name)
		}
	}
	if len(parameters) == 0 {
		return nil, nil
	}
	if v := parameters.Get("tls"); parameters.Has("tls") && v != "true" {
		return nil, fault("etcd: tls=%s is not known; write tls=true, or leave it out", v)
	}
	c, err := tlsConfig(parameters)
	if err != nil {
		return nil, fault("etcd: %v", err)
	}
	return c, nil
}
