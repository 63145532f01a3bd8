//go:build linux

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program finds a program that .ci/setup builds or installs into the cache, see [Cache]: programs/name in it. The
// name carries the version, such as etcd-3.7.3.
func Program(name string) (string, error) {
	dir, err := Cache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "programs", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run .ci/setup, which builds it", path)
	}
	return path, nil
}

// Cache returns the directory that .ci/setup keeps programs in: $TENURE_CACHE, or tenure in the user's cache directory.
func Cache() (string, error) {
	if dir := os.Getenv("TENURE_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: set TENURE_CACHE: %w", err)
	}
	return filepath.Join(dir, "tenure"), nil
}

// Debian finds a program that a Debian package installs: on the PATH, or where one of the patterns leads, such as
// /usr/lib/postgresql/*/bin/postgres; the last match in the order of names wins.
func Debian(pkg, name string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range append(patterns, "/usr/sbin/"+name) {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is missing: run .ci/setup, which installs the Debian package %s", name, pkg)
}
