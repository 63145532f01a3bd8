//go:build linux

package stands

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
)

// s3Kind is a bucket of Versity's gateway, which keeps buckets as directories.
func s3Kind() Kind {
	return Kind{
		Server: func(*servers.Server) servers.Spec { return servers.VersityGW() },
		Prepare: func(_ context.Context, s *servers.Server) error {
			if err := os.Mkdir(filepath.Join(s.Dir, "objects", "leases"), 0o700); err != nil {
				return err
			}
			return writeS3Credentials(s)
		},
		Address: s3Address, TTL: 3 * time.Second, Register: true,
	}
}

// s3Credentials is the file with the credentials, because an address has none.
func s3Credentials(s *servers.Server) string { return filepath.Join(s.Dir, "credentials") }

func writeS3Credentials(s *servers.Server) error {
	text := fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		servers.S3Access, servers.S3Secret)
	return os.WriteFile(s3Credentials(s), text, 0o600)
}

func s3Address(s *servers.Server, at string) string {
	q := url.Values{"endpoint": {"http://" + at}, "region": {"us-east-1"}, "path-style": {"true"},
		"credentials": {s3Credentials(s)}}
	return "s3://leases/?" + q.Encode()
}
