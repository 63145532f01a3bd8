package redis

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// status is how the script has answered.
type status string

const (
	done    status = "done"    // carried out, now or before
	held    status = "held"    // somebody else holds the lease
	lost    status = "lost"    // the lease is not the caller's
	late    status = "late"    // a later Acquire of the same Manager was granted before
	spent   status = "spent"   // no term is left
	foreign status = "foreign" // the record is of another format
	damaged status = "damaged" // the record has numbers that the script does not write
)

// answer is what the script said, with the record as it is after the request.
type answer struct {
	status status
	record lease.Record
}

// parse reads an answer. It comes from outside: the record may have been written by anybody.
func parse(key string, reply any) (answer, error) {
	list, ok := reply.([]any)
	if !ok || len(list) == 0 {
		return answer{}, fmt.Errorf("the server answered with a %T, which the script does not return", reply)
	}
	parts := make([]string, len(list))
	for i, part := range list {
		if parts[i], ok = part.(string); !ok {
			return answer{}, fmt.Errorf("the server answered with a %T, which the script does not return", part)
		}
	}
	a := answer{status: status(parts[0])}
	switch a.status {
	case done, held, lost, late, spent:
	case foreign:
		return answer{}, stranger(parts[1:])
	case damaged:
		return answer{}, unusable(errors.New("it has numbers that are none"))
	default:
		return answer{}, fmt.Errorf("the server answered with %.40q, which the script does not return", parts[0])
	}
	if len(parts) != 6 {
		return answer{}, fmt.Errorf("the server answered with %d parts; the script returns 6", len(parts))
	}
	var err error
	if a.record, err = record(key, parts[1:]); err != nil {
		return answer{}, unusable(err)
	}
	return a, nil
}

// record reads holder, incarnation, metadata, term and the remaining microseconds.
func record(key string, parts []string) (lease.Record, error) {
	h := lease.Holder{Name: parts[0], Incarnation: parts[1], Meta: parts[2]}
	term, err := strconv.ParseUint(parts[3], 10, 64)
	if err != nil || term > maxTerm {
		return lease.Record{}, fmt.Errorf("its term %.40q is not in 0 to %d", parts[3], uint64(maxTerm))
	}
	us, err := strconv.ParseInt(parts[4], 10, 64)
	if most := maxTTL.Microseconds(); err != nil || us < 0 || us > most {
		return lease.Record{}, fmt.Errorf("it leaves %.40q microseconds; at most %d can be left", parts[4], most)
	}
	r := lease.Record{
		Lease:     lease.Lease{Key: key, Holder: h, Term: lease.Term(term)},
		Remaining: time.Duration(us) * time.Microsecond,
	}
	if h == (lease.Holder{}) {
		r.Remaining = 0
		return r, nil
	}
	if err := h.Check(); err != nil {
		return lease.Record{}, oneLine{err}
	}
	if term == 0 {
		return lease.Record{}, errors.New("it has a holder and no term")
	}
	return r, nil
}

// stranger is the error for a hash that is no record of this format.
func stranger(format []string) error {
	if len(format) == 1 && format[0] != "" {
		n, err := strconv.ParseUint(format[0], 10, 32)
		if err == nil && n > 1 {
			return lease.Permanent(fmt.Errorf("the record has the format %d and this program knows 1; upgrade this program "+
				"to the version that wrote it", n))
		}
	}
	return unusable(errors.New("it is no lease"))
}

// unusable says what to do about a record that was not written by the script.
func unusable(err error) error {
	return lease.Permanent(fmt.Errorf("the record is unusable: %w; once nobody leads, delete it", err))
}
