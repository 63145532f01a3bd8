package postgres

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// row is a row of the table as it comes from the server. Somebody may have edited it, or made the table by hand.
type row struct {
	key       sql.NullString
	term      sql.NullInt64
	holder    sql.NullString // empty after a release
	incarn    sql.NullString
	meta      sql.NullString
	ends      sql.NullString // on the clock of the database; only to tell whether the row has changed
	remaining sql.NullInt64  // microseconds
}

func (w *row) into() []any {
	return []any{&w.key, &w.term, &w.holder, &w.incarn, &w.meta, &w.ends, &w.remaining}
}

// found reports whether there is a row at all.
func (w *row) found() bool { return w.key.Valid }

// record makes a record of a row, or says what is wrong with it.
func (w *row) record(key string) (lease.Record, error) {
	none := lease.Record{Lease: lease.Lease{Key: key}}
	h := lease.Holder{Name: w.holder.String, Incarnation: w.incarn.String, Meta: w.meta.String}
	left := time.Duration(w.remaining.Int64)
	vacant := w.holder.Valid && h == lease.Holder{}
	var fault error
	switch {
	case w.key.String != key:
		fault = fmt.Errorf("it is of the key %.300q", w.key.String)
	case !w.key.Valid || !w.holder.Valid || !w.incarn.Valid || !w.meta.Valid || !w.term.Valid:
		fault = errors.New("a column is NULL")
	case w.term.Int64 <= 0:
		fault = fmt.Errorf("the term %d is not positive", w.term.Int64)
	case !w.remaining.Valid:
		fault = errors.New("expires_at is no instant")
	case left > time.Duration(MaxTTL.Microseconds()):
		fault = fmt.Errorf("expires_at is more than %v ahead of the clock of the database", MaxTTL)
	case !vacant:
		fault = h.Check()
	}
	if fault != nil {
		return none, lease.Permanent(fmt.Errorf("the row of this key was not written by Tenure: %w; delete it: the next "+
			"term is counted from the clock", oneLine{fault}))
	}
	r := none
	r.Holder, r.Term = h, lease.Term(w.term.Int64)
	if !vacant {
		r.Remaining = max(left, 0) * time.Microsecond
	}
	return r, nil
}
