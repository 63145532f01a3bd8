package trust

import (
	"fmt"
	"strings"

	"github.com/go-tenure/tenure/lease"
)

// remedies are looked through in order.
var remedies = []struct{ says, advice string }{
	{"x509: certificate signed by unknown authority", "the server's certificate is of an authority that the client does " +
		"not trust: give the client that authority's certificate (ca=FILE in an address)"},
	{"x509: certificate is valid for", "the server's certificate has another name: connect by one that it has"},
	{"x509: certificate is not valid for any names", "the server's certificate has no name: give it one that has"},
	{"x509: cannot validate certificate for", "the server's certificate has no IP address: connect by a name that it " +
		"has"},
	{"x509: certificate has expired or is not yet valid", "the server's certificate has run out or the clock of this " +
		"host is wrong: renew the one or set the other"},
	{"tls: failed to verify certificate", "the server's certificate cannot be trusted"},
	{"first record does not look like a TLS handshake", "the server speaks no TLS there: connect without, or elsewhere"},
	{"remote error: tls: certificate required", client},
	{"remote error: tls: bad certificate", client},
	{"remote error: tls: unknown certificate", client},
	{"remote error: tls: expired certificate", client},
	{"remote error: tls: revoked certificate", client},
	{"remote error: tls: unsupported certificate", client},
}

const client = "the server wants the client's certificate to be of an authority that it trusts: give the client such " +
	"a one (cert=FILE and key=FILE in an address)"

// Explain adds the remedy to an error of a connection that is a lasting fault of TLS, and marks it as
// [lease.ErrPermanent]. Other errors, and nil, are returned as they are.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, r := range remedies {
		if strings.Contains(text, r.says) {
			return lease.Permanent(fmt.Errorf("%w; %s", err, r.advice))
		}
	}
	return err
}
