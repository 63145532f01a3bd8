package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// state returns the SQLSTATE of an error of the server, through whichever driver it came; "" if it is none.
func state(err error) string {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return s.SQLState()
	}
	return ""
}

// raced reports that the server undid a statement because of others at the same time: at REPEATABLE READ or
// SERIALIZABLE, if the role or the database has that as its default.
func raced(err error) bool {
	s := state(err)
	return s == "40001" || s == "40P01"
}

// page is where people find what to do.
const page = "docs/stores/postgres.md"

// remedy says what to do about an error of the server, and whether trying again soon is of no use. Classes are those of
// the appendix "PostgreSQL Error Codes" of its manual.
func remedy(code, table string) (text string, permanent bool) {
	switch code {
	case "":
		return "", false
	case "42P01", "3F000":
		return "the table " + table + " does not exist; call Migrate (create=on in an address of the command line), or " +
			"create it as " + page + " says", true
	case "42501":
		return "grant the role SELECT, INSERT and UPDATE on " + table + " and USAGE on its schema", true
	case "28P01", "28000":
		return "the server does not let this user in; check user, password and pg_hba.conf", true
	case "3D000":
		return "create the database, or name another", true
	case "42704":
		return "the server does not know a parameter of the connection", true
	case "26000", "42P05", "08P01":
		return "a pooler of transactions keeps no prepared statements; with pgx set default_query_exec_mode=exec", false
	case "25006":
		return "the server takes no writes, as a standby; connect to the one that does, with pgx by " +
			"target_session_attrs=read-write", false
	case "55P03":
		return "an open transaction keeps the row locked, or the server is overloaded; look in pg_stat_activity", false
	case "40001", "40P01":
		return "statements of others undo it; give the role default_transaction_isolation = 'read committed'", false
	case "0A000": // a cached plan whose table has changed; the driver plans again
		return "", false
	}
	switch code[:2] {
	case "42":
		return "the table " + table + " is not as Migrate makes it; compare it with " + page, true
	case "22", "23":
		return "the row of this key, or the encoding of the database, does not let it be written; see " + page, true
	}
	return "", false
}

// fail names the operation and the key, and what to do if that is known. The cause stays visible to errors.Is.
func (m *Manager) fail(ctx context.Context, op, key string, err error) error {
	text, permanent := remedy(state(err), m.table.name)
	if text != "" {
		text = "; " + text
	}
	out := fmt.Errorf("lease: %s %q: %w%s", op, key, oneLine{because(ctx, err)}, text)
	if permanent {
		return lease.Permanent(out)
	}
	return out
}

// because adds to an error why the context has ended, if it has: drivers do not always say; and what to do about a
// connection that is not trusted.
func because(ctx context.Context, err error) error {
	for _, cause := range []error{ctx.Err(), context.Cause(ctx)} {
		if cause != nil && !errors.Is(err, cause) {
			err = errors.Join(err, cause)
		}
	}
	if state(err) == "" {
		err = trust.Explain(err)
	}
	return err
}

// oneLine is an error whose text has no line breaks. Those of pgx about connections have one for each attempt; what is
// the same with and without TLS is said once.
type oneLine struct{ err error }

func (e oneLine) Error() string {
	var lines []string
	for line := range strings.Lines(e.err.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

func (e oneLine) Unwrap() error { return e.err }
