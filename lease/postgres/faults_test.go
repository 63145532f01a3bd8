package postgres

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	_, err := New(Config{Table: "a.b.c", Poll: time.Millisecond})
	if !isPermanent(err) {
		t.Errorf("%v is not permanent", err)
	}
	for _, text := range []string{"Config.DB is nil", `Config.Table: "a.b.c"`, "Config.Poll 1ms"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func TestOnlyIdentifiersNameTables(t *testing.T) {
	long := strings.Repeat("t", 63)
	for name, want := range map[string]string{
		"tenure_lease": `"tenure_lease"`, "app.Lease": `"app"."Lease"`, "_t$1": `"_t$1"`, long: `"` + long + `"`,
		"": "", ".": "", "a.": "", ".a": "", "a.b.c": "", "1t": "", "a-b": "", `a"b`: "", "a b": "", "a;b": "", "\u00fc": "",
		"a\n": "", long + "t": "", "$a": "", "a.b;DROP TABLE x": "",
	} {
		got, err := quote(name)
		if got.quoted != want || (err == nil) != (want != "") {
			t.Errorf("quote(%q) = %q, %v; want %q", name, got.quoted, err, want)
		}
		if _, err := Schema(name); (err == nil) != (want != "" || name == "") {
			t.Errorf("Schema(%q): %v", name, err)
		}
	}
}

// Faults that trying again does not cure are permanent and say what to do; others are not.
func TestFaultsSayWhatToDo(t *testing.T) {
	admin := super(t)
	reader, nokey, other := unique("reader"), unique("nokey"), unique("other")
	must(t, admin, "CREATE ROLE "+reader+" LOGIN SUPERUSER",
		"ALTER ROLE "+reader+" SET default_transaction_read_only = on",
		"CREATE TABLE "+nokey+" (LIKE "+fresh(t, admin)+")", "CREATE TABLE "+other+" (key text PRIMARY KEY, n int)")
	for what, c := range map[string]struct {
		url, table string
		permanent  bool
		texts      []string
	}{
		"no table":     {address(server.Addr(), "postgres"), "missing", true, []string{"table missing", "call Migrate"}},
		"no schema":    {address(server.Addr(), "postgres"), "missing.t", true, []string{"table missing.t", "call Migrate"}},
		"another kind": {address(server.Addr(), "postgres"), other, true, []string{other + " is not as Migrate"}},
		"no key":       {address(server.Addr(), "postgres"), nokey, true, []string{nokey + " is not as Migrate"}},
		"no role":      {address(server.Addr(), "nobody"), "t", true, []string{"does not let this user in"}},
		"no database": {"postgres://postgres@" + server.Addr() + "/missing", "t", true,
			[]string{"create the database"}},
		"an unknown parameter": {address(server.Addr(), "postgres", "nosuch=1"), "t", true,
			[]string{"does not know a parameter", "nosuch"}},
		"read only": {address(server.Addr(), reader), fresh(t, admin), false,
			[]string{"takes no writes", "target_session_attrs"}},
		"no server": {"postgres://postgres@127.0.0.1:1/postgres", "t", false, []string{"refused"}},
	} {
		t.Run(what, func(t *testing.T) {
			m := manager(t, Config{DB: open(t, c.url), Table: c.table})
			h := holder("a")
			l := lease.Lease{Key: "k", Holder: h, Term: 1}
			_, err := m.Acquire(t.Context(), "k", h, time.Hour)
			says(t, err, c.permanent, append(c.texts, `lease: acquire "k": `)...)
			if what == "no key" { // without one nothing is granted, so there is nothing to renew
				return
			}
			says(t, m.Renew(t.Context(), l, time.Hour), c.permanent, `lease: renew "k": `)
			says(t, m.Release(t.Context(), l), c.permanent, `lease: release "k": `)
		})
	}
}

func TestAWrongPasswordIsPermanentAndNotRepeated(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres())
	must(t, open(t, address(s.Addr(), "postgres")), "CREATE ROLE locked LOGIN PASSWORD 'right'")
	hba := filepath.Join(s.Dir, "pg_hba.conf")
	text, err := os.ReadFile(hba)
	if err == nil {
		err = os.WriteFile(hba, append([]byte("host all locked 127.0.0.1/32 scram-sha-256\n"), text...), 0o600)
	}
	if err == nil {
		err = s.Restart(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	m := manager(t, Config{DB: open(t, address(s.Addr(), "locked:hushhush"))})
	_, err = m.Acquire(t.Context(), "k", holder("a"), time.Hour)
	says(t, err, true, "does not let this user in", "password")
	if strings.Contains(err.Error(), "hushhush") {
		t.Errorf("%v gives the password away", err)
	}
}

// Statements that a driver has prepared in one session are unknown in the next one that the pooler chooses.
func TestPreparedStatementsBehindAPoolerSayWhatToDo(t *testing.T) {
	pooler := servers.Test(t, servers.PgBouncer(server.Addr()))
	table := fresh(t, super(t))
	for range 10 {
		m := manager(t, Config{DB: open(t, address(pooler.Addr(), "postgres")), Table: table})
		for range 3 {
			if _, err := m.Acquire(t.Context(), "k", holder("a"), 100*time.Millisecond); state(err) != "" {
				says(t, err, false, "default_query_exec_mode=exec")
				return
			}
		}
	}
	t.Error("ten pools prepare their statements behind one pooler, and nothing happens")
}

// A row that a person has written is an error with the key and the remedy in it, and becomes a proper one once it is
// free.
func TestRowsOfOthersAreNoLeases(t *testing.T) {
	db := super(t)
	loose := unique("loose")
	must(t, db, "CREATE TABLE "+loose+" (key text PRIMARY KEY, holder text, term bigint, acquired_at timestamptz, "+
		"renewed_at timestamptz, expires_at timestamptz, meta text, incarnation text)")
	m := manager(t, Config{DB: db, Table: loose, Poll: 10 * time.Millisecond})
	for what, values := range map[string]string{
		"no holder":            "NULL, 1, now() + interval '1h', '', 'i'",
		"no incarnation":       "'h', 1, now() + interval '1h', '', NULL",
		"empty incarnation":    "'h', 1, now() + interval '1h', '', ''",
		"no term":              "'h', NULL, now() + interval '1h', '', 'i'",
		"a negative term":      "'h', -1, now() + interval '1h', '', 'i'",
		"no end":               "'h', 1, NULL, '', 'i'",
		"no end ever":          "'h', 1, 'infinity', '', 'i'",
		"an end in the future": "'h', 1, now() + interval '31 days', '', 'i'",
		"an end far off":       "'h', 1, '294276-01-01', '', 'i'",
		"a long name":          "repeat('h', 300), 1, now() + interval '1h', '', 'i'",
		"a line feed":          "E'h\\n', 1, now() + interval '1h', '', 'i'",
		"much metadata":        "'h', 1, now() + interval '1h', repeat('m', 100000), 'i'",
	} {
		must(t, db, "DELETE FROM "+loose)
		must(t, db, "INSERT INTO "+loose+" (key, holder, term, expires_at, meta, incarnation) VALUES ('k', "+values+")")
		_, err := m.Acquire(t.Context(), "k", holder("a"), time.Hour)
		says(t, err, true, `acquire "k"`, "delete it")
		if len(err.Error()) > 2000 {
			t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
		}
		_, err = m.Read(t.Context(), "k")
		says(t, err, true, `read "k"`, "delete it")
		stop, err := m.Watch("k", func(r lease.Record) { t.Errorf("%s: told of %+v", what, r) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
		stop()
	}
	must(t, db, "UPDATE "+loose+" SET holder = E'h\\n', term = 7, expires_at = '-infinity', meta = ''")
	acquired(t, m, "k", holder("a"), time.Hour)
}

// The checks of the table refuse what no statement of ours writes.
func TestTheTableRefusesRowsThatAreNoLeases(t *testing.T) {
	db := super(t)
	table := fresh(t, db)
	m := manager(t, Config{DB: db, Table: table})
	l := acquired(t, m, "k", holder("a"), time.Hour)
	for _, set := range []string{"term = 0", "term = NULL", "expires_at = 'infinity'", "expires_at = NULL",
		"holder = NULL", "key = ''", "key = repeat('k', 254)"} {
		if _, err := db.ExecContext(t.Context(), "UPDATE "+table+" SET "+set); err == nil {
			t.Errorf("%s is allowed", set)
		}
	}
	must(t, db, "UPDATE "+table+" SET term = 9223372036854775807, holder = ''")
	_, err := m.Acquire(t.Context(), "k", l.Holder, time.Hour)
	says(t, err, true, "out of range")
}

// A database that cannot hold every character refuses metadata that has them.
func TestMetadataThatTheDatabaseCannotHoldIsPermanent(t *testing.T) {
	latin := unique("latin")
	must(t, super(t), "CREATE DATABASE "+latin+" ENCODING 'LATIN1' TEMPLATE template0")
	db := open(t, strings.Replace(address(server.Addr(), "postgres"), "/postgres?", "/"+latin+"?client_encoding=UTF8&", 1))
	m := manager(t, Config{DB: db, Table: fresh(t, db)})
	h := holder("a")
	h.Meta = "\u4e16\u754c"
	_, err := m.Acquire(t.Context(), "k", h, time.Hour)
	says(t, err, true, "encoding")
	h.Meta = "Z\u00fcrich"
	acquired(t, m, "k", h, time.Hour)
}

func FuzzRows(f *testing.F) {
	f.Add("k", "h", int64(1), "i", "m", int64(1), uint8(0))
	f.Add("k", "", int64(1), "", "", int64(-1), uint8(0))
	f.Add("k", "", int64(1), "", "", int64(1)<<62, uint8(255))
	f.Fuzz(func(t *testing.T, key, holder string, term int64, incarnation, meta string, left int64, nulls uint8) {
		text := func(s string, bit int) sql.NullString { return sql.NullString{String: s, Valid: nulls>>bit&1 == 0} }
		number := func(n int64, bit int) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: nulls>>bit&1 == 0} }
		w := row{
			text(key, 0), number(term, 1), text(holder, 2), text(incarnation, 3), text(meta, 4), text("", 5),
			number(left, 6),
		}
		r, err := w.record("k")
		if err != nil {
			none := lease.Record{Lease: lease.Lease{Key: "k"}}
			if !isPermanent(err) || strings.ContainsAny(err.Error(), "\n\r") || r != none {
				t.Fatalf("%+v, %q", r, err)
			}
			return
		}
		if r.Key != "k" || r.Term == 0 || r.Remaining < 0 || r.Remaining > MaxTTL || nulls&0x5f != 0 ||
			!r.Holder.IsZero() && r.Holder.Check() != nil || r.Holder.IsZero() && (r.Remaining != 0 || r.Holder.Meta != "") {
			t.Fatalf("%+v of %+v", r, w)
		}
	})
}
