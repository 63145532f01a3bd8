package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

const (
	// DefaultTable is the table that is used unless Config.Table names another.
	DefaultTable = "tenure_lease"
	// MaxTTL is the longest lease. A row that claims to last longer is refused as damaged, since it would block its key
	// for as long.
	MaxTTL = 30 * 24 * time.Hour

	minTTL      = 100 * time.Millisecond
	defaultPoll = time.Second
)

// Config says where the leases are. Only DB must be set.
type Config struct {
	// DB is what the statements run on, through any driver for PostgreSQL. Each call is one statement of its own, outside
	// any transaction, so DB may reach the server through a pooler of transactions. Work that uses up its connections
	// keeps renewals waiting: give Tenure a DB of its own, or leave some.
	DB *sql.DB
	// Table is the table, "name" or "schema.name"; each part is a letter or underscore and up to 62 more, digits or
	// dollar signs. It is used exactly as it is written, upper and lower case included. Empty means DefaultTable.
	Table string
	// Listen opens a connection for LISTEN, which Tenure then owns and closes: one for all keys, opened when something is
	// watched, and again after it was lost. It must lead to the server itself and not to a pooler of transactions; if it
	// does, that is noticed and reported. Nil means that watches only poll.
	Listen func(ctx context.Context) (*pgx.Conn, error)
	// Poll is how often watched keys are read, all in one statement, while nothing tells of changes. Zero means 1 s.
	// While LISTEN works they are read once in ten times Poll. At least 10 ms.
	Poll time.Duration
	// Logger is told when LISTEN stops working and when it works again. Nil means nobody is.
	Logger *slog.Logger
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]{0,62}$`)

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	if c.DB == nil {
		faults = append(faults, errors.New("postgres: Config.DB is nil; set it to the database to use"))
	}
	if _, err := quote(cmp.Or(c.Table, DefaultTable)); err != nil {
		faults = append(faults, fmt.Errorf("postgres: Config.Table: %w", err))
	}
	if c.Poll != 0 && c.Poll < 10*time.Millisecond {
		faults = append(faults, fmt.Errorf("postgres: Config.Poll %v is less than 10ms", c.Poll))
	}
	return errors.Join(faults...)
}

// table is a validated name of a table.
type table struct {
	name   string // as it was given
	quoted string // for statements
	last   string // without the schema: the channel of its notifications
}

func quote(name string) (table, error) {
	parts := strings.Split(name, ".")
	for _, part := range parts {
		if !identifier.MatchString(part) || len(parts) > 2 {
			return table{}, fmt.Errorf("%.80q is no name of a table; write name or schema.name, of letters, digits and "+
				"underscores, at most 63 each", name)
		}
	}
	return table{name: name, quoted: pgx.Identifier(parts).Sanitize(), last: parts[len(parts)-1]}, nil
}

// New returns a Manager on the table that c names, or every fault of c as [lease.ErrPermanent]. It starts nothing, and
// does not ask the database.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	t, err := quote(cmp.Or(c.Table, DefaultTable))
	if err != nil {
		return nil, lease.Permanent(err)
	}
	m := &Manager{db: c.DB, table: t, sql: statementsFor(t)}
	m.hub = hub{
		m: m, listen: c.Listen, poll: cmp.Or(c.Poll, defaultPoll), log: c.Logger,
		echoEvery: defaultEcho, echoTimeout: defaultEchoTimeout,
	}
	m.hub.audience = audience.New(m.hub.serve)
	if m.hub.log == nil {
		m.hub.log = slog.New(slog.DiscardHandler)
	}
	return m, nil
}
