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

// s3Kind is a bucket of Versity's gateway, which keeps buckets as directories. The credentials are in a file, because
// an address has none.
func s3Kind() Kind {
	credentials := func(s *servers.Server) string { return filepath.Join(s.Dir, "credentials") }
	return Kind{
		Server: func(*servers.Server) servers.Spec { return servers.VersityGW() },
		Prepare: func(_ context.Context, s *servers.Server) error {
			if err := os.Mkdir(filepath.Join(s.Dir, "objects", "leases"), 0o700); err != nil {
				return err
			}
			text := fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
				servers.S3Access, servers.S3Secret)
			return os.WriteFile(credentials(s), text, 0o600)
		},
		Address: func(s *servers.Server, at string) string {
			q := url.Values{"endpoint": {"http://" + at}, "region": {"us-east-1"}, "path-style": {"true"},
				"credentials": {credentials(s)}}
			return "s3://leases/?" + q.Encode()
		},
		TTL: 3 * time.Second, Register: true,
	}
}
