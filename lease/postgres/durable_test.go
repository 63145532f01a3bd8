package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// The role commits asynchronously, and what is so committed is written by a process of its own, every ten seconds or
// when it was woken for something else. That is stopped and the server is killed: what it had confirmed otherwise is
// gone, the lease is not.
func TestAGrantSurvivesACrashThoughTheRoleCommitsAsynchronously(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres("fsync = on", "wal_writer_delay = 10s", "autovacuum = off"))
	admin := open(t, address(s.Addr(), "postgres"))
	must(t, admin, "CREATE ROLE lazy LOGIN SUPERUSER", "ALTER ROLE lazy SET synchronous_commit = off",
		"CREATE TABLE control (n int)", "CHECKPOINT")
	db := open(t, address(s.Addr(), "lazy"))
	if err := Migrate(t.Context(), db, ""); err != nil {
		t.Fatal(err)
	}
	m := manager(t, Config{DB: db})
	count := func(from string) (n int) {
		t.Helper()
		if err := admin.QueryRowContext(t.Context(), "SELECT "+from).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for round, write := range []func(lease.Lease) error{
		func(lease.Lease) error { return nil },
		func(l lease.Lease) error { return m.Renew(t.Context(), l, 2*time.Hour) },
	} {
		must(t, admin, "CHECKPOINT")
		l := acquired(t, m, "k", holder("a"), time.Hour)
		done(t, write(l))
		writer := count("pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
		done(t, syscall.Kill(writer, syscall.SIGSTOP))
		must(t, db, "INSERT INTO control VALUES (1)") // after the lease, whose commit takes all before it along
		s.Kill()
		done(t, s.Restart(t.Context()))
		var r lease.Record
		var err error
		contest.Eventually(t, "an answer", func() bool { // on new connections; the old ones broke
			r, err = m.Read(t.Context(), "k")
			return err == nil && admin.PingContext(t.Context()) == nil
		})
		if err != nil || r.Lease != l || (r.Remaining > time.Hour) != (round == 1) {
			t.Errorf("round %d: after the crash the record is %+v, %v; want %+v", round, r, err, l)
		}
		if n := count("count(*) FROM control"); n != 0 {
			t.Errorf("round %d: %d control rows are left; nothing was shown", round, n)
		}
		done(t, m.Release(t.Context(), l))
	}
}

// The role does not wait for standbys, the lease does: there is none, so it waits in vain.
func TestAGrantWaitsForTheStandbysThoughTheRoleDoesNot(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres())
	admin := open(t, address(s.Addr(), "postgres"))
	must(t, admin, "CREATE ROLE hasty LOGIN SUPERUSER", "ALTER ROLE hasty SET synchronous_commit = local",
		"CREATE TABLE control (n int)")
	if err := Migrate(t.Context(), admin, ""); err != nil {
		t.Fatal(err)
	}
	must(t, admin, "ALTER SYSTEM SET synchronous_standby_names = 'absent'", "SELECT pg_reload_conf()")
	db := open(t, address(s.Addr(), "hasty"))
	m := manager(t, Config{DB: db})
	contest.Eventually(t, "the setting holds", func() bool {
		var names string
		err := db.QueryRowContext(t.Context(), "SELECT current_setting('synchronous_standby_names')").Scan(&names)
		return err == nil && names == "absent"
	})
	must(t, admin, "CHECKPOINT") // by the process that tells all others to wait for standbys
	must(t, db, "INSERT INTO control VALUES (1)")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := m.Acquire(ctx, "k", holder("a"), time.Hour)
		done <- err
	}()
	contest.Eventually(t, "the acquire waits for a standby", func() bool {
		var n int
		err := db.QueryRowContext(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE usename = 'hasty' AND wait_event = 'SyncRep'").Scan(&n)
		return err == nil && n == 1
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || isPermanent(err) {
		t.Errorf("%v; want an unknown outcome", err)
	}
}

// Transactions that notify are committed one after the other, so a grant may have to wait for the commits of others,
// here for one that waits for a standby. That is no row that somebody keeps locked, and no reason to give the grant up.
func TestAGrantWaitsForItsTurnToCommit(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres("synchronous_standby_names = absent"))
	hasty := open(t, address(s.Addr(), "postgres", "synchronous_commit=local"))
	must(t, hasty, "CREATE TABLE other (n int)", "CHECKPOINT") // by the process that tells all to wait for standbys
	done(t, Migrate(t.Context(), hasty, ""))
	waiting := func(event string) func() bool {
		return func() (is bool) {
			err := hasty.QueryRowContext(t.Context(),
				"SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = $1", event).Scan(&is)
			return err == nil && is
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	db := open(t, address(s.Addr(), "postgres"))
	wg.Go(func() {
		const text = "WITH n AS (INSERT INTO other VALUES (1) RETURNING n) SELECT pg_notify('other', '') FROM n"
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Error(err)
		}
	})
	contest.Eventually(t, "the other waits for a standby", waiting("SyncRep"))
	wg.Go(func() {
		if _, err := manager(t, Config{DB: db}).Acquire(t.Context(), "k", holder("a"), time.Second); err != nil {
			t.Error(err)
		}
	})
	contest.Eventually(t, "the grant waits for the other", waiting("object"))
	time.Sleep(leastPatience + 200*time.Millisecond)
	must(t, hasty, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
}

// A session keeps its own setting: nothing of a statement of ours is left behind in it.
func TestStatementsLeaveTheSessionAsItWas(t *testing.T) {
	asis := unique("asis")
	must(t, super(t), "CREATE ROLE "+asis+" LOGIN SUPERUSER", "ALTER ROLE "+asis+" SET synchronous_commit = off",
		"ALTER ROLE "+asis+" SET lock_timeout = '7s'")
	db := open(t, address(server.Addr(), asis))
	db.SetMaxOpenConns(1)
	m := manager(t, Config{DB: db, Table: fresh(t, db)})
	l := acquired(t, m, "k", holder("a"), time.Hour)
	if err := m.Renew(t.Context(), l, time.Hour); err != nil {
		t.Fatal(err)
	}
	var commit, patience string
	err := db.QueryRowContext(t.Context(),
		"SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')").Scan(&commit, &patience)
	if err != nil || commit != "off" || patience != "7s" {
		t.Errorf("%s, %s, %v", commit, patience, err)
	}
}

func TestTermsRiseThoughTheStoreForgetsSome(t *testing.T) {
	db := super(t)
	table := fresh(t, db)
	m := manager(t, Config{DB: db, Table: table})
	l := acquired(t, m, "k", holder("a"), time.Hour)
	for what, statement := range map[string]string{
		"a backup was restored, or a standby lacked the newest": "UPDATE " + table + " SET term = term - 1000000",
		"the row was deleted":       "DELETE FROM " + table,
		"the table was made afresh": "DROP TABLE " + table,
	} {
		must(t, db, statement)
		if strings.HasPrefix(statement, "DROP") {
			schema, err := Schema(table)
			if err != nil {
				t.Fatal(err)
			}
			must(t, db, schema)
		}
		if err := m.Renew(t.Context(), l, time.Hour); !errors.Is(err, lease.ErrLost) {
			t.Errorf("%s: Renew = %v", what, err)
		}
		next := l
		next.Holder = l.Holder // the row may still name it as its holder
		next = acquired(t, m, "k", next.Holder, time.Hour)
		if next.Term <= l.Term {
			t.Errorf("%s: term %d after %d", what, next.Term, l.Term)
		}
		l = next
	}
}

// A released row has an empty holder, and so has whoever asks as nobody.
// An acquire that was given up may arrive after the one that was sent in its place, and may have asked for less.
func TestAnAcquireThatWasOvertakenTakesNothingFromALease(t *testing.T) {
	t.Parallel()
	db := super(t)
	m := manager(t, Config{DB: db, Table: fresh(t, db)})
	h := holder("a")
	first := acquired(t, m, "k", h, time.Hour)
	late := acquired(t, m, "k", h, 100*time.Millisecond)
	if late.Term <= first.Term {
		t.Errorf("term %d after %d", late.Term, first.Term)
	}
	time.Sleep(150 * time.Millisecond)
	if _, err := m.Acquire(t.Context(), "k", holder("b"), time.Hour); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("Acquire = %v; want ErrHeld: the holder may count on its first grant until it hears of the second", err)
	}
	// Whoever does hear of the second renews that one.
	done(t, m.Renew(t.Context(), late, 100*time.Millisecond))
	takeover(t, m, "k", time.Hour)
}

func TestNobodyHoldsNothing(t *testing.T) {
	db := super(t)
	table := fresh(t, db)
	m := manager(t, Config{DB: db, Table: table})
	l := acquired(t, m, "k", holder("a"), time.Hour)
	if err := m.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	nobody := lease.Lease{Key: "k", Term: l.Term}
	if err := m.Renew(t.Context(), nobody, time.Hour); !errors.Is(err, lease.ErrLost) {
		t.Errorf("Renew = %v", err)
	}
	if r, err := m.Read(t.Context(), "k"); err != nil || r.Lease != nobody || r.Remaining != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
