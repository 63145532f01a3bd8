package postgres

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestManyMigrateAtOnce(t *testing.T) {
	schema := unique("many")
	must(t, super(t), "CREATE SCHEMA "+schema)
	for round := range 5 {
		table := fmt.Sprintf("%s.lease_%d", schema, round)
		const processes = 16
		var dbs []*sql.DB
		for range processes {
			db := super(t)
			must(t, db, "SELECT 1")
			dbs = append(dbs, db)
		}
		errs := make([]error, processes)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i, db := range dbs {
			wg.Go(func() {
				<-start
				errs[i] = Migrate(t.Context(), db, table)
			})
		}
		close(start)
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		}
		m := manager(t, Config{DB: dbs[0], Table: table})
		l := acquired(t, m, "k", holder("a"), time.Hour)
		if err := Migrate(t.Context(), dbs[1], table); err != nil {
			t.Error(err)
		}
		if r, err := m.Read(t.Context(), "k"); err != nil || r.Lease != l {
			t.Errorf("after another migration: %+v, %v", r, err)
		}
		for _, db := range dbs {
			_ = db.Close()
		}
	}
}

// block finds the statements of a heading in the page of this store.
func block(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/stores/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+heading+"\n")
	match := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(after)
	if !found || match == nil {
		t.Fatalf("the page has no statements below %q", heading)
	}
	var statements []string
	for _, s := range strings.Split(match[1], ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, s)
		}
	}
	return statements
}

// The page says how to make the table and a role with the least rights: the statements are run as they stand there, and
// everything that the package does is done by that role.
func TestTheRightsOnThePageAreEnough(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres())
	admin := open(t, address(s.Addr(), "postgres"))
	for _, statement := range append(block(t, "The table"), block(t, "The role")...) {
		must(t, admin, statement)
	}
	url := address(s.Addr(), "tenure")
	db := open(t, url)
	if err := Migrate(t.Context(), db, ""); err != nil {
		t.Errorf("a table that is there: %v", err)
	}
	m := manager(t, Config{DB: db, Listen: listenAt(url), Poll: time.Minute})
	told := make(chan lease.Record, 10)
	stop, err := m.Watch("k", func(r lease.Record) { told <- r })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	l := acquired(t, m, "k", holder("a"), time.Hour)
	if r := <-told; r.Lease != l {
		t.Errorf("told of %+v", r)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done(t, m.Fence(t.Context(), tx, l), tx.Commit(), m.Renew(t.Context(), l, time.Hour), m.Release(t.Context(), l))
	if r, err := m.Read(t.Context(), "k"); err != nil || r.Term != l.Term {
		t.Errorf("%+v, %v", r, err)
	}
	says(t, Migrate(t.Context(), db, "other"), true, "other", "permission denied", "grant CREATE")
	if _, err := db.ExecContext(t.Context(), "DELETE FROM tenure_lease"); state(err) != "42501" {
		t.Errorf("the role may delete rows: %v", err)
	}
	for _, right := range []string{"SELECT", "INSERT", "UPDATE"} { // and none of them can be done without
		must(t, admin, "REVOKE "+right+" ON tenure_lease FROM tenure")
		_, err := m.Acquire(t.Context(), "other", holder("a"), time.Hour)
		says(t, err, true, "grant the role SELECT, INSERT and UPDATE on tenure_lease")
		must(t, admin, "GRANT "+right+" ON tenure_lease TO tenure")
	}
}

// What people copy from the page is what Migrate makes.
func TestTheTableOnThePageIsWhatMigrateMakes(t *testing.T) {
	schema, err := Schema("")
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string {
		return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), `"tenure_lease"`, "tenure_lease")
	}
	if got := block(t, "The table"); len(got) != 1 || words(got[0]) != words(schema) {
		t.Errorf("the page has %s\nMigrate makes %s", got, schema)
	}
}
