//go:build unix

package control

import (
	"io/fs"
	"os"
	"syscall"
)

// private reports whether only this user may enter the directory. The superuser may enter those of others.
func private(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	return ok && dir.Mode().Perm() == 0o700 && (int(st.Uid) == os.Geteuid() || os.Geteuid() == 0)
}
