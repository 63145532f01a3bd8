package lease

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrHeld refuses an Acquire: somebody else holds the lease. Stand again later; a [HeldError] says when it pays.
	ErrHeld = errors.New("lease: held by another")
	// ErrLost refuses a Renew or a Release: the lease is not the caller's, or no longer. Stop at once. The lease never
	// comes back under the same term.
	ErrLost = errors.New("lease: lost")
	// ErrPermanent marks faults that trying again soon will not cure: no permission, no such table or directory, a record
	// written by something else. The outcome of the call is still unknown unless the Manager knows better. Retry slowly
	// and tell a person. Mark an error with [Permanent].
	ErrPermanent = errors.New("lease: needs attention")
)

// HeldError is ErrHeld with what is known of whoever holds the lease.
type HeldError struct {
	Record Record
}

// Error names the key, the holder, its term and, if known, for how much longer.
func (e *HeldError) Error() string {
	if e == nil { // an error all the same, as nil pointers in interfaces are
		return ErrHeld.Error()
	}
	r := e.Record
	s := fmt.Sprintf("lease: %q is held by %s under term %d", r.Key, r.Holder, r.Term)
	if r.Remaining >= 0 {
		s += fmt.Sprintf(" for another %v", r.Remaining.Round(time.Millisecond))
	}
	return s
}

// Is makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// LostError is ErrLost with what the store has instead, as far as it is known.
type LostError struct {
	Lease  Lease  // the lease that the caller thought it had
	Record Record // what the store has; the zero Record if it did not say
}

// Error names the key, the term that was lost and who has the lease now.
func (e *LostError) Error() string {
	if e == nil {
		return ErrLost.Error()
	}
	s := fmt.Sprintf("lease: lost %q, term %d", e.Lease.Key, e.Lease.Term)
	switch r := e.Record; {
	case !r.Holder.IsZero():
		s += fmt.Sprintf(": held by %s under term %d", r.Holder, r.Term)
	case r.Term > 0:
		s += fmt.Sprintf(": vacant since term %d", r.Term)
	}
	return s
}

// Is makes errors.Is(err, ErrLost) true.
func (e *LostError) Is(target error) bool { return target == ErrLost }

type permanent struct{ err error }

func (p permanent) Error() string        { return p.err.Error() }
func (p permanent) Unwrap() error        { return p.err }
func (p permanent) Is(target error) bool { return target == ErrPermanent }

// Permanent marks err so that errors.Is(err, ErrPermanent). The text stays as it is: make it say what to do. Permanent
// of nil is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Refusal returns what a refusal tells of the present state of the key. It reports false for nil and for errors that
// are no refusal; a refusal that carries no record yields the zero Record.
func Refusal(err error) (Record, bool) {
	var held *HeldError
	if errors.As(err, &held) && held != nil {
		return held.Record, true
	}
	var lost *LostError
	if errors.As(err, &lost) && lost != nil {
		return lost.Record, true
	}
	return Record{}, errors.Is(err, ErrHeld) || errors.Is(err, ErrLost)
}
