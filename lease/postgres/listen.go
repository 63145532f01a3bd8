package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-tenure/tenure/internal/audience"
	"github.com/go-tenure/tenure/lease"
)

const (
	// connectTimeout bounds the making of a connection.
	connectTimeout = 10 * time.Second
	// defaultEcho is how often the way of a notification is tried out, defaultEchoTimeout how long one may take.
	defaultEcho        = 10 * time.Second
	defaultEchoTimeout = 5 * time.Second
	// A lost connection is replaced after firstPause, then after twice as long, up to lastPause.
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
	// closeTimeout bounds the farewell to the server.
	closeTimeout = time.Second
)

var (
	errDeaf = errors.New("a notification of its own did not come back: LISTEN must reach the server itself, not a " +
		"pooler of transactions")
	errNoConn = errors.New("Config.Listen returned no connection and no error")
)

// hearken listens on one connection after another until the context ends.
func (h *hub) hearken(ctx context.Context, l *audience.Loop[subject]) {
	pause, silent := firstPause, false
	for {
		err := h.session(ctx, l, func() {
			if silent {
				h.log.Info("store notifies again", "channel", h.m.table.last)
			}
			pause, silent = firstPause, false
		})
		if h.prompt.Swap(false) {
			h.markAll(l) // and from now on poll more often
		}
		if ctx.Err() != nil {
			return
		}
		if !silent {
			silent = true
			h.log.Warn("store does not notify; polling goes on", "channel", h.m.table.last, "err", oneLine{err})
		}
		if !sleep(ctx, pause/2+rand.N(pause), nil) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// session listens on one connection for as long as it is of use, and returns why it is not. It calls works when the
// first notification of its own has come back: until then nothing shows that any will come.
func (h *hub) session(ctx context.Context, l *audience.Loop[subject], works func()) error {
	conn, err := h.connect(ctx)
	if err != nil {
		return err
	}
	defer bid(conn)
	echo := "tenure_echo_" + lease.NewIncarnation()
	if err := h.subscribe(ctx, conn, h.m.table.last, echo); err != nil {
		return err
	}
	h.markAll(l) // what has changed before was not notified
	var asked bool
	for due := time.Now(); ; {
		if now := time.Now(); !now.Before(due) {
			if asked {
				return errDeaf
			}
			if err := h.notify(ctx, echo); err != nil {
				return err
			}
			asked, due = true, time.Now().Add(h.echoTimeout)
		}
		wait, cancel := context.WithDeadline(ctx, due)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case n != nil && n.Channel == echo:
			asked, due = false, time.Now().Add(h.echoEvery)
			if !h.prompt.Swap(true) {
				works()
			}
		case n != nil: // what it says is anybody's: a key to look up, no more
			h.hear(l, n.Payload)
		case ctx.Err() != nil:
			return ctx.Err()
		case conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}

func (h *hub) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := h.listen(ctx)
	if err == nil && conn == nil {
		err = errNoConn
	}
	return conn, err
}

func (h *hub) subscribe(ctx context.Context, conn *pgx.Conn, channels ...string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for _, c := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{c}.Sanitize()); err != nil {
			return fmt.Errorf("LISTEN: %w", err)
		}
	}
	return nil
}

// notify sends a notification on the way that those of others take: through the database, not through the connection
// that listens.
func (h *hub) notify(ctx context.Context, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, h.echoTimeout)
	defer cancel()
	_, err := h.m.db.ExecContext(ctx, "SELECT pg_notify($1::text, '')", channel)
	return err
}

// bid says farewell to the server, or gives the connection up if it does not listen.
func bid(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
