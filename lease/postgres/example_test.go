package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/postgres"
)

// The caller opens the database and says how to open the connection that listens.
func Example() {
	ctx, url := context.Background(), os.Getenv("DATABASE_URL")
	db, err := sql.Open("pgx", url)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := postgres.Migrate(ctx, db, ""); err != nil {
		log.Fatal(err)
	}
	manager, err := postgres.New(postgres.Config{
		DB:     db,
		Listen: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) },
	})
	if err != nil {
		log.Fatal(err)
	}
	err = actor.Run(ctx, manager, "billing", func(ctx context.Context, t *actor.Tenure) error {
		fmt.Println("leading under term", t.Term())
		<-ctx.Done()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// What the leader writes to the same database is committed only while it leads.
func ExampleManager_Fence() {
	var db *sql.DB                // of the application
	var manager *postgres.Manager // of leases in the same database
	work := func(ctx context.Context, t *actor.Tenure) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(ctx, "UPDATE invoices SET sent = true WHERE NOT sent"); err != nil {
			return err
		}
		if err := manager.Fence(ctx, tx, t.Lease()); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = work
}

// The statement for those who keep their migrations themselves.
func ExampleSchema() {
	schema, err := postgres.Schema("app.leases")
	fmt.Println(schema[:42], err)
	_, err = postgres.Schema("leases; --")
	fmt.Println(strings.ReplaceAll(err.Error(), ";", ";\n"))
	// Output:
	// CREATE TABLE IF NOT EXISTS "app"."leases"  <nil>
	// postgres: "leases;
	//  --" is no name of a table;
	//  write name or schema.name, of letters, digits and underscores, at most 63 each
}
