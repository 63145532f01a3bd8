//go:build linux

package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Postgres is a PostgreSQL server whose superuser is postgres, without a password from 127.0.0.1; the database is
// postgres, too. Each setting is a line of postgresql.conf, such as "max_connections = 10"; later ones win. It does not
// wait for the disk, which a killed process does not need: for figures, set "fsync = on".
func Postgres(settings ...string) Spec {
	return Spec{
		Name: "postgres",
		User: "nobody", // it refuses root
		Init: func(ctx context.Context, i Instance) error {
			initdb, err := postgresProgram("initdb")
			if err != nil {
				return err
			}
			err = i.Exec(ctx, initdb, "-D", i.Dir, "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C",
				"--encoding=UTF8")
			if err != nil {
				return err
			}
			return appendTo(filepath.Join(i.Dir, "postgresql.conf"), postgresConf(i, settings))
		},
		Command: func(i Instance) ([]string, error) {
			postgres, err := postgresProgram("postgres")
			return []string{postgres, "-D", i.Dir}, err
		},
		Ready: postgresReady,
	}
}

func postgresProgram(name string) (string, error) {
	return Debian("postgresql", name, "/usr/lib/postgresql/*/bin/"+name)
}

func postgresConf(i Instance, settings []string) string {
	return strings.Join(append([]string{
		"", "listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(i.Ports[0]), "unix_socket_directories = ''",
		"fsync = off",
	}, settings...), "\n") + "\n"
}

// appendTo adds text to a file, whoever owns it.
func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// postgresReady asks for a connection as its clients do: a server that still starts, or recovers, answers with an
// error.
func postgresReady(ctx context.Context, i Instance) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", i.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if end, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(end)
	}
	const parameters = "user\x00postgres\x00database\x00postgres\x00\x00"
	hello := binary.BigEndian.AppendUint32(nil, 8+uint32(len(parameters)))
	hello = binary.BigEndian.AppendUint32(hello, 3<<16) // version 3.0 of the protocol
	if _, err := c.Write(append(hello, parameters...)); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if answer[0] != 'R' { // authentication, which it asks for none of
		return fmt.Errorf("it answers %q to a connection", answer)
	}
	return nil
}

// PgBouncer is a PgBouncer before the PostgreSQL server at target, which pools transactions: each may run in another
// session of the server. Everybody is let in; clients name their user and database as if it were the server.
func PgBouncer(target string) Spec {
	return Spec{
		Name: "pgbouncer",
		User: "nobody", // it refuses root
		Init: func(_ context.Context, i Instance) error {
			host, port, err := net.SplitHostPort(target)
			if err != nil {
				return err
			}
			conf := strings.Join([]string{
				"[databases]", "* = host=" + host + " port=" + port,
				"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + strconv.Itoa(i.Ports[0]), "unix_socket_dir =",
				"max_client_conn = 1000", "auth_type = trust", "auth_file = " + filepath.Join(i.Dir, "users.txt"),
				"pool_mode = transaction", "default_pool_size = 4", "ignore_startup_parameters = extra_float_digits", "",
			}, "\n")
			return errors.Join(
				os.WriteFile(filepath.Join(i.Dir, "users.txt"), []byte("\"postgres\" \"\"\n"), 0o644),
				os.WriteFile(filepath.Join(i.Dir, "pgbouncer.ini"), []byte(conf), 0o644))
		},
		Command: func(i Instance) ([]string, error) {
			program, err := Debian("pgbouncer", "pgbouncer")
			return []string{program, filepath.Join(i.Dir, "pgbouncer.ini")}, err
		},
	}
}
