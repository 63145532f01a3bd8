package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	leasesql "github.com/go-tenure/tenure/lease/sql"
)

const (
	mysqlForm  = "mysql://USER@HOST[:PORT]/DATABASE"
	sqliteForm = "sqlite:FILE"
)

// openMySQL opens a table of MySQL or MariaDB. It does not dial: the server may come later. The password may stand in
// the address, or in MYSQL_PWD, where the client programs of MySQL look for it.
func openMySQL(address string) (Manager, func() error, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User.Username() == "" || strings.Trim(u.Path, "/") == "" || u.Fragment != "" {
		return nil, nil, fault("%s is not written as %s", Redact(address), mysqlForm)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "3306"))
	c.User, c.DBName = u.User.Username(), strings.Trim(u.Path, "/")
	c.Passwd = os.Getenv("MYSQL_PWD")
	if password, ok := u.User.Password(); ok {
		c.Passwd = password
	}
	c.InterpolateParams = true // one round trip for each statement
	c.Timeout = 10 * time.Second
	c.Logger = log.New(io.Discard, "", 0) // what it says comes back as an error, too
	create, files := false, url.Values{}
	config, err := sqlConfig(u.RawQuery, leasesql.MySQL, func(name, value string) error {
		switch name + "=" + value {
		case "tls=true", "tls=false", "tls=preferred", "tls=skip-verify":
			c.TLSConfig = value
			return nil
		case "create=on", "create=off":
			create = value == "on"
			return nil
		}
		switch name {
		case "ca", "cert", "key":
			files.Set(name, value)
			return nil
		case "tls":
			return errors.New("is none of true, false, preferred and skip-verify")
		case "create":
			return errors.New("is neither on nor off")
		}
		return errors.New("is unknown; known: table, poll, relaxed, tls, ca, cert, key, create")
	})
	if err != nil {
		return nil, nil, err
	}
	if err := mysqlFiles(c, files); err != nil {
		return nil, nil, fault("mysql: %v", err)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, nil, fault("%s: %v", Redact(address), err)
	}
	config.DB = sql.OpenDB(connector)
	m, closer, err := openSQL(config)
	if err != nil || !create {
		return m, closer, err
	}
	made := m.(*leasesql.Manager)
	return &creatingSQL{made, creation{create: made.Migrate}}, closer, nil
}

// mysqlFiles has the connection use TLS with the files that parameters name, if they name any.
func mysqlFiles(c *mysql.Config, files url.Values) (err error) {
	if !secured(files) {
		return nil
	}
	if c.TLSConfig != "" && c.TLSConfig != "true" {
		return fmt.Errorf("with ca, cert or key the server's certificate is checked; leave tls=%s out", c.TLSConfig)
	}
	c.TLS, err = tlsConfig(files)
	return err
}

// openSQLite opens a database file, and makes it, private to the user, and its tables if they are missing.
func openSQLite(address string) (Manager, func() error, error) {
	rest, query, _ := strings.Cut(strings.TrimPrefix(address, "sqlite:"), "?")
	path := strings.TrimPrefix(rest, "//")
	if path == "" || path != rest && !strings.HasPrefix(path, "/") {
		return nil, nil, fault("sqlite:%s names no file; write %s", rest, sqliteForm)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fault("sqlite:%s: %v; give the full path", rest, err)
	}
	config, err := sqlConfig(query, leasesql.SQLite, func(string, string) error {
		return errors.New("is unknown; known: table, poll, relaxed")
	})
	if err != nil {
		return nil, nil, err
	}
	// The files beside it are made by SQLite with the same permissions.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("the directory %s does not exist; create it, private to the user who runs this",
			filepath.Dir(path))
	}
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	file := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=journal_mode(wal)"}
	connector, err := sqlite.NewConnector(file.String())
	if err != nil {
		return nil, nil, err
	}
	config.DB = sql.OpenDB(connector)
	m, closer, err := openSQL(config)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := m.(*leasesql.Manager).Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, closer())
	}
	return m, closer, nil
}

func openSQL(c leasesql.Config) (Manager, func() error, error) {
	c.DB.SetMaxOpenConns(4)
	m, err := leasesql.New(c)
	if err != nil {
		_ = c.DB.Close()
		return nil, nil, fault("%v", err)
	}
	return m, c.DB.Close, nil
}

// sqlConfig reads what both dialects have after the question mark; other gets the rest.
func sqlConfig(query string, d leasesql.Dialect, other func(name, value string) error) (leasesql.Config, error) {
	c := leasesql.Config{Dialect: d}
	values, err := url.ParseQuery(query)
	if err != nil {
		return c, fault("%s: what follows the ? is not written as NAME=VALUE&NAME=VALUE", d)
	}
	for name, all := range values {
		value := all[len(all)-1]
		switch name {
		case "table":
			c.Table = value
		case "poll":
			if c.Poll, err = time.ParseDuration(value); err != nil || c.Poll <= 0 {
				err = errors.New("is no length of time such as 50ms")
			}
		case "relaxed":
			if c.Relaxed, err = strconv.ParseBool(value); err != nil {
				err = errors.New("is not true or false")
			}
		default:
			err = other(name, value)
		}
		if err != nil {
			return c, fault("%s: the parameter %q %v", d, name, err)
		}
	}
	return c, nil
}
