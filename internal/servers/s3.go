//go:build linux

package servers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// The credentials of the servers of S3.
const (
	S3Access = "tenure"
	S3Secret = "tenure-secret"
)

const (
	// versityVersion is what internal/servers/programs/versitygw pins.
	versityVersion = "1.8.0"
	// s3rverVersion is what internal/servers/programs/s3rver pins.
	s3rverVersion = "3.7.1"
)

// VersityGW is Versity's gateway, which keeps objects as files. It keeps conditions of writes in one step each. It
// needs a file system with extended attributes. Its users are in a file; [S3Access] may do everything. Buckets may be
// versioned.
func VersityGW() Spec {
	return Spec{
		Name:  "versitygw",
		Ready: s3Ready,
		Init: func(_ context.Context, i Instance) error {
			var err error
			for _, name := range []string{"objects", "users", "versions"} {
				err = errors.Join(err, os.Mkdir(filepath.Join(i.Dir, name), 0o700))
			}
			return err
		},
		Command: func(i Instance) ([]string, error) {
			program, err := Program("versitygw-" + versityVersion)
			return []string{program, "--port", i.Addr(), "--access", S3Access, "--secret", S3Secret, "--quiet",
				"--keep-alive", "--iam-dir", filepath.Join(i.Dir, "users"), "posix", "--versioning-dir",
				filepath.Join(i.Dir, "versions"), filepath.Join(i.Dir, "objects")}, err
		},
	}
}

// S3rver is a server that speaks S3 and ignores the conditions of writes: what must be refused.
func S3rver() Spec {
	return Spec{Name: "s3rver", Ready: s3Ready, Command: func(i Instance) ([]string, error) {
		program, err := Program("s3rver-" + s3rverVersion + "/node_modules/s3rver/bin/s3rver.js")
		return []string{"node", program, "--address", "127.0.0.1", "--port", fmt.Sprint(i.Ports[0]), "--directory", i.Dir,
			"--silent", "--allow-mismatched-signatures"}, err
	}}
}

// s3Ready takes any answer but that of a server that is not up yet.
func s3Ready(ctx context.Context, i Instance) error {
	answer, err := i.request(ctx, 0, "/")
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}
