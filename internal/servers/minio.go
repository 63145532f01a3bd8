//go:build linux

package servers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// minioVersion is what internal/servers/programs/minio pins: the day's state of a project that gives no versions of
// its module.
const minioVersion = "0.0.0-20260212201848-7aac2a2c5b7c"

// MinIO is an object store that keeps conditions of writes under a lock of the object. It takes minutes to build, so
// that its tests have a build tag: minio. [S3Access] may do everything. Temporary credentials are given at /, as AWS
// gives them. Buckets may be versioned.
func MinIO() Spec {
	return Spec{
		Name:  "minio",
		Ready: minioReady,
		Env: []string{
			"MINIO_ROOT_USER=" + S3Access, "MINIO_ROOT_PASSWORD=" + S3Secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		},
		Init: func(_ context.Context, i Instance) error {
			return errors.Join(os.Mkdir(filepath.Join(i.Dir, "objects"), 0o700),
				os.Mkdir(filepath.Join(i.Dir, "certs"), 0o700))
		},
		Command: func(i Instance) ([]string, error) {
			program, err := Program("minio-" + minioVersion)
			return []string{program, "server", "--address", i.Addr(), "--certs-dir", filepath.Join(i.Dir, "certs"),
				"--quiet", filepath.Join(i.Dir, "objects")}, err
		},
	}
}

// minioReady asks whether objects, buckets and users have been read; other answers come earlier.
func minioReady(ctx context.Context, i Instance) error {
	_, err := get(ctx, i, 0, "/minio/health/cluster")
	return err
}
