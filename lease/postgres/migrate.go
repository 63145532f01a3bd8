package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/go-tenure/tenure/lease"
)

// schemaText is read by people who ask the database who leads, so the columns stand in the order of their interest.
// Renewals change no indexed column and find room on their page, so they leave nothing behind for VACUUM.
const schemaText = `CREATE TABLE IF NOT EXISTS {table} (
    key         text COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 253),
    holder      text COLLATE "C" NOT NULL, -- empty: released
    term        bigint NOT NULL CHECK (term > 0),
    acquired_at timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (isfinite(expires_at)),
    meta        text NOT NULL,
    incarnation text COLLATE "C" NOT NULL
) WITH (fillfactor = 50)`

// Schema returns the statement that makes the table, for those who keep their migrations themselves. The name is as in
// Config.Table; empty means DefaultTable. The statement does nothing if there is such a table.
func Schema(table string) (string, error) {
	t, err := quote(cmp.Or(table, DefaultTable))
	if err != nil {
		return "", lease.Permanent(fmt.Errorf("postgres: %w", err))
	}
	return strings.ReplaceAll(schemaText, "{table}", t.quoted), nil
}

// migrationLock is the advisory lock of the transaction that makes a table: CREATE TABLE IF NOT EXISTS alone fails when
// two do it at once. The number is drawn at random.
const migrationLock = 5_404_733_118_224_901_393

// Migrate makes the table if it is not there; the name is as in [Schema]. Any number of processes may call it at once
// and again at each start. Once the table is there it needs no more than the right to read it.
func Migrate(ctx context.Context, db *sql.DB, table string) error {
	schema, err := Schema(table)
	if err != nil {
		return err
	}
	t, err := quote(cmp.Or(table, DefaultTable))
	if err != nil {
		return err
	}
	if err := probe(ctx, db, t); state(err) != "42P01" { // it is there, or nothing can be done about it here
		return migration(ctx, t, err)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return migration(ctx, t, err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", migrationLock)); err != nil {
		return migration(ctx, t, err)
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		if state(err) == "42501" {
			return lease.Permanent(fmt.Errorf("postgres: make the table %s: %w; let its owner call Migrate, or grant CREATE on "+
				"the schema", t.name, oneLine{err}))
		}
		return migration(ctx, t, err)
	}
	return migration(ctx, t, tx.Commit())
}

// probe asks for every column of the table and for no row.
func probe(ctx context.Context, db *sql.DB, t table) error {
	rows, err := db.QueryContext(ctx, "SELECT key, holder, term, acquired_at, renewed_at, expires_at, meta, incarnation "+
		"FROM "+t.quoted+" WHERE false")
	if err != nil {
		return err
	}
	for rows.Next() { // there are none, but some drivers report errors here
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

func migration(ctx context.Context, t table, err error) error {
	if err == nil {
		return nil
	}
	text, permanent := remedy(state(err), t.name)
	if text != "" {
		text = "; " + text
	}
	err = fmt.Errorf("postgres: make the table %s: %w%s", t.name, oneLine{because(ctx, err)}, text)
	if permanent {
		return lease.Permanent(err)
	}
	return err
}
