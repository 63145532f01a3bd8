package sql

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// Numbers by which a MySQL or MariaDB server tells what is wrong.
const mysqlDuplicate = 1062

// errReadOnly may pass: a replica becomes the one that takes writes when that one fails.
var errReadOnly = errors.New("the server is read-only: connect to the one that takes writes")

// explain marks what trying again will not cure, and says what will.
func (s *server) explain(err error) error {
	if errors.Is(err, lease.ErrPermanent) {
		return err
	}
	remedy := ""
	switch number(err) {
	case 0: // not the server's
		return trust.Explain(err)
	case 1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 1820, 1862: // no access, of one kind or the other
		remedy = "give this user the right to log in and SELECT, INSERT and UPDATE on " + s.table
	case 1049: // no such database
		remedy = "create the database"
	case 1146: // no such table
		remedy = "create the table: call Migrate, or have somebody do it who may"
	case 1054, 1136, 1364, 1406: // other columns than expected
		remedy = "the table " + s.table + " is not of this program: name another"
	case 1290, 1792, 1836: // read-only, of one kind or the other
		return fmt.Errorf("%w (%w)", errReadOnly, err)
	default:
		return err
	}
	return lease.Permanent(fmt.Errorf("%w: %s", err, remedy))
}

// Numbers by which SQLite tells what is wrong; the low byte of an extended one.
const (
	sqliteError    = 1
	sqlitePerm     = 3
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteReadOnly = 8
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNoLFS    = 22
	sqliteAuth     = 23
	sqliteNotADB   = 26
)

// busy reports whether another process has the database locked.
func busy(err error) bool {
	n := number(err) & 0xff
	return n == sqliteBusy || n == sqliteLocked
}

// explain marks what trying again will not cure, and says what will.
func (r *rows) explain(err error) error {
	remedy := ""
	switch number(err) & 0xff {
	case sqliteError: // mostly: no such table
		remedy = "create the tables with Migrate, or name another than " + r.table
	case sqlitePerm, sqliteReadOnly, sqliteCantOpen, sqliteAuth:
		remedy = "let this user read and write the database file and its directory"
	case sqliteCorrupt, sqliteNotADB, sqliteNoLFS:
		remedy = "the file is no sound database: restore it, or name another"
	case sqliteFull:
		remedy = "free some space"
	default:
		return err
	}
	return lease.Permanent(fmt.Errorf("%w: %s", err, remedy))
}

// number returns the number of a database's error, 0 if there is none. No driver is imported here, so the errors are
// known by what those of the drivers have in common: a method Code, or a field Number, ExtendedCode or Code.
func number(err error) int {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return 0
		}
		if m := v.MethodByName("Code"); m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			if n, ok := integer(m.Call(nil)[0]); ok {
				return n
			}
		}
		if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
			continue
		}
		for _, name := range []string{"Number", "ExtendedCode", "Code"} {
			if f, ok := v.Type().FieldByName(name); ok && len(f.Index) == 1 {
				if n, ok := integer(v.FieldByIndex(f.Index)); ok {
					return n
				}
			}
		}
	}
	return 0
}

func integer(v reflect.Value) (int, bool) {
	switch {
	case v.CanInt():
		return int(v.Int()), true
	case v.CanUint():
		return int(v.Uint()), true
	}
	return 0, false
}
