//go:build linux

package stands

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/go-tenure/tenure/internal/servers"
	leasesql "github.com/go-tenure/tenure/lease/sql"
)

// sqlKinds are the databases that are reached through database/sql, and the emulator of Azure's blobs.
func sqlKinds() map[string]Kind {
	return map[string]Kind{
		"mariadb": {
			Server: func(*servers.Server) servers.Spec { return servers.MariaDB() }, Prepare: makeTable,
			Address: at("mysql://root@%/tenure?poll=100ms"), TTL: 2 * time.Second, Notifies: true,
		},
		"sqlite": {
			Address: func(_ *servers.Server, at string) string { return "sqlite:" + filepath.Join(at, "leases.db") },
			TTL:     2 * time.Second, Notifies: true,
		},
		// Azurite writes to disk what it confirmed only every few seconds.
		"azurite": {
			Server: func(*servers.Server) servers.Spec { return servers.Azurite() }, Forgets: true,
			Prepare: func(_ context.Context, s *servers.Server) error {
				return os.WriteFile(azureKey(s), []byte(servers.AzuriteKey+"\n"), 0o600)
			},
			Address: func(s *servers.Server, at string) string {
				return "azblob://" + servers.AzuriteAccount + "/leases?mode=swap&endpoint=http://" + at + "/" +
					servers.AzuriteAccount + "&key-file=" + azureKey(s)
			},
			TTL: 3 * time.Second, Register: true,
		},
	}
}

func azureKey(s *servers.Server) string { return filepath.Join(s.Dir, "key") }

// makeTable makes the database and the table of a MariaDB server.
func makeTable(ctx context.Context, s *servers.Server) error {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User = "tcp", s.Addr(), "root"
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE tenure"); err != nil {
		return err
	}
	m, err := leasesql.New(leasesql.Config{DB: db, Dialect: leasesql.MySQL, Table: "tenure.tenure_lease"})
	if err != nil {
		return err
	}
	return m.Migrate(ctx)
}
