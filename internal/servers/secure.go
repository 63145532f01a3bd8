//go:build linux

package servers

import (
	"slices"
	"strconv"
)

// securities are the arguments by which servers speak TLS, given those by which they do not.
var securities = map[string]func(args []string, i Instance, c Certificates) []string{
	"redis": redisSecure, "valkey": redisSecure,
	"etcd": func(args []string, i Instance, c Certificates) []string {
		client := "https://" + i.Addr()
		return append(args, "--listen-client-urls="+client, "--advertise-client-urls="+client, "--cert-file="+c.Cert,
			"--key-file="+c.Key, "--trusted-ca-file="+c.CA, "--client-cert-auth")
	},
	"nats": func(args []string, _ Instance, c Certificates) []string {
		return append(args, "--tls", "--tlscert="+c.Cert, "--tlskey="+c.Key, "--tlscacert="+c.CA, "--tlsverify")
	},
	"postgres": func(args []string, _ Instance, c Certificates) []string {
		return append(args, "-c", "ssl=on", "-c", "ssl_cert_file="+c.Cert, "-c", "ssl_key_file="+c.Key, "-c",
			"ssl_ca_file="+c.CA)
	},
	"mariadb": func(args []string, _ Instance, c Certificates) []string {
		return append(args, "--ssl-cert="+c.Cert, "--ssl-key="+c.Key, "--ssl-ca="+c.CA)
	},
	"versitygw": func(args []string, _ Instance, c Certificates) []string {
		return slices.Insert(args, 1, "--cert", c.Cert, "--key", c.Key)
	},
}

func redisSecure(args []string, i Instance, c Certificates) []string {
	return append(args, "--port", "0", "--tls-port", strconv.Itoa(i.Ports[0]), "--tls-cert-file", c.Cert,
		"--tls-key-file", c.Key, "--tls-ca-cert-file", c.CA)
}

// Secure returns a server that speaks TLS, with files that its [Instance.Certificates] names. Redis, Valkey, etcd and
// NATS speak nothing else, and only to clients that have a certificate. PostgreSQL and MariaDB, where TLS begins
// inside the protocol, take either and ask for none; Versity's gateway asks for none. It panics for other servers.
func Secure(s Spec) Spec {
	change, ok := securities[s.Name]
	if !ok {
		panic("servers: it is not known how " + s.Name + " speaks TLS")
	}
	plain := s.Command
	s.secure = true
	s.Command = func(i Instance) ([]string, error) {
		args, err := plain(i)
		if err != nil {
			return nil, err
		}
		return change(args, i, i.Certificates()), nil
	}
	return s
}
