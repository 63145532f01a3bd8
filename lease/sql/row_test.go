//go:build linux

package sql

import (
	"database/sql"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

func FuzzARowIsALeaseOrAnErrorThatSaysWhatToDo(f *testing.F) {
	f.Add("1", "alice", "a1", "meta", int64(1_000_000))
	f.Add("18446744073709551615", "", "a1", "\xff", int64(-1))
	f.Add("-1", "", "", "", int64(1)<<62)
	f.Fuzz(func(t *testing.T, term, holder, incarnation, meta string, left int64) {
		text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
		r := nullableRow{text(term), text(holder), text(incarnation), text(meta), sql.NullInt64{Int64: left, Valid: true}}
		record, err := r.record(key, "tenure_lease")
		if err != nil {
			if !errors.Is(err, lease.ErrPermanent) || record != (lease.Record{}) {
				t.Fatalf("%+v, %v", record, err)
			}
			return
		}
		n, _ := strconv.ParseUint(term, 10, 64)
		if record.Term != lease.Term(n) || n == 0 || record.Term > register.MaxTerm || record.Key != key {
			t.Fatalf("the term %q became %+v", term, record)
		}
		if record.Remaining < 0 || record.Remaining > register.MaxTTL+24*time.Hour {
			t.Fatalf("%d µs became %v", left, record.Remaining)
		}
		if !record.Holder.IsZero() && record.Holder.Check() != nil {
			t.Fatalf("it is held by %+v", record.Holder)
		}
	})
}
