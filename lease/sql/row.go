package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// nullableRow is a row as it comes from the database: foreign data, that somebody may have edited. All is NULL if there
// is none. The term is text, because drivers differ in what they make of an unsigned number.
type nullableRow struct {
	term, holder, incarnation, meta sql.NullString
	left                            sql.NullInt64 // microseconds until the lease ends
}

// record returns what the row says of key, or an error that names the fault and the remedy.
func (r nullableRow) record(key, table string) (lease.Record, error) {
	if !r.term.Valid {
		return lease.Record{Lease: lease.Lease{Key: key}}, nil
	}
	record, err := r.decode(key)
	if err != nil {
		err = fmt.Errorf("the row of %q in %s is unusable: %w; once nobody leads, set its holder to '' and its term to no "+
			"less than the last", key, table, oneLine{err})
		return lease.Record{}, lease.Permanent(err)
	}
	return record, nil
}

func (r nullableRow) decode(key string) (lease.Record, error) {
	term, err := strconv.ParseUint(r.term.String, 10, 64)
	if err != nil || term == 0 || term > uint64(register.MaxTerm) {
		return lease.Record{}, fmt.Errorf("its term %.40q is not in 1 to %d", r.term.String, register.MaxTerm)
	}
	record := lease.Record{Lease: lease.Lease{Key: key, Term: lease.Term(term)}}
	if r.holder.String == "" && r.incarnation.String == "" {
		return record, nil
	}
	h := lease.Holder{Name: r.holder.String, Incarnation: r.incarnation.String, Meta: r.meta.String}
	if err := h.Check(); err != nil {
		return lease.Record{}, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	// A day more, since a lease that was granted just now ends a little later on a clock that was set back a little.
	if most := register.MaxTTL + 24*time.Hour; !r.left.Valid || r.left.Int64 > most.Microseconds() {
		return lease.Record{}, fmt.Errorf("its end is not within the %v that a lease lasts at most", register.MaxTTL)
	}
	record.Holder = h
	record.Remaining = time.Duration(max(r.left.Int64, 0)) * time.Microsecond
	return record, nil
}
