//go:build linux

package servers

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
)

// MariaDB is a MariaDB server with a user root who has no password. extra are further arguments of mariadbd, such as
// --read-only. It is durable as far as InnoDB is: each commit is written to disk. Each has a directory for temporary
// tables of its own: a server that starts removes those of others.
func MariaDB(extra ...string) Spec {
	return Spec{
		Name: "mariadb",
		User: "mysql",
		Init: func(ctx context.Context, i Instance) error {
			install, err := Debian("mariadb-server", "mariadb-install-db")
			if err != nil {
				return err
			}
			return i.Exec(ctx, install, "--no-defaults", "--datadir="+i.Dir, "--auth-root-authentication-method=normal",
				"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M", "--tmpdir="+i.Dir)
		},
		Command: func(i Instance) ([]string, error) {
			daemon, err := Debian("mariadb-server", "mariadbd")
			if err != nil {
				return nil, err
			}
			args := []string{
				daemon, "--no-defaults", "--datadir=" + i.Dir, "--bind-address=127.0.0.1",
				"--port=" + strconv.Itoa(i.Ports[0]), "--socket=" + i.Dir + "/s", "--pid-file=" + i.Dir + "/pid",
				"--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--tmpdir=" + i.Dir,
			}
			return append(args, extra...), nil
		},
		Ready: greets,
	}
}

// greets waits for the greeting of the protocol: the port is open a while before the server serves.
func greets(ctx context.Context, i Instance) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", i.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if end, ok := ctx.Deadline(); ok {
		_ = c.SetReadDeadline(end)
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err == nil && !bytes.Contains(buf[:n], []byte("MariaDB")) {
		err = errors.New("the greeting is not that of MariaDB")
	}
	return err
}
