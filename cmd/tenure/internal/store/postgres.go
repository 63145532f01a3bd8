package store

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/go-tenure/tenure/lease/postgres"
)

// connections is how many connections are used at once, besides the one that listens.
const connections = 8

// openPostgres takes its own parameters out of the address and leaves the others to pgx. It does not connect yet: a
// server that is down is the business of the node, which stands by.
func openPostgres(address string) (Manager, func() error, error) {
	u, err := url.Parse(address)
	var q url.Values
	if err == nil {
		q, err = url.ParseQuery(u.RawQuery)
	}
	if err != nil || u.Host == "" && len(q) == 0 || u.Fragment != "" {
		return nil, nil, fault("this is no URL of PostgreSQL; write postgres://USER@HOST/DATABASE")
	}
	table, mode := q.Get("table"), q.Get("default_query_exec_mode")
	flag := func(name string, otherwise bool) (on bool) {
		switch value := q.Get(name); value {
		case "on", "off":
			on = value == "on"
		case "":
			on = otherwise
		default:
			err = errors.Join(err, fault("%s=%s: write %s=on or %s=off", name, value, name, name))
		}
		q.Del(name)
		return on
	}
	listen, create := flag("listen", true), flag("create", false)
	if err != nil {
		return nil, nil, err
	}
	q.Del("table")
	u.RawQuery = q.Encode()
	c, err := pgx.ParseConfig(u.String())
	if err != nil { // its text quotes the address; the cause does not
		why := cmp.Or(errors.Unwrap(err), errors.New("see its parameters"))
		return nil, nil, fault("pgx cannot use this address: %v", why)
	}
	if mode == "" {
		c.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing, so that poolers do no harm
	}
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	config := postgres.Config{DB: db, Table: table}
	if listen {
		config.Listen = func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, c) }
	}
	m, err := postgres.New(config)
	if err != nil {
		_ = db.Close()
		return nil, nil, fault("%v", err)
	}
	if create {
		create := func(ctx context.Context) error { return postgres.Migrate(ctx, db, table) }
		return &creatingPostgres{m, creation{create: create}}, db.Close, nil
	}
	return m, db.Close, nil
}
