package actor

import (
	"errors"
	"fmt"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

var (
	// ErrOver is what work returns, itself or wrapped, to say that the election is over for this node: it does not stand
	// again. Wrapped, the whole error is the election's; see [Campaign.Err].
	ErrOver = errors.New("actor: the election is over")
	// ErrNotLeading is what [Campaign.Check] returns, wrapped, when this node does not lead. Do not do what only the
	// leader may do.
	ErrNotLeading = errors.New("actor: not leading")
	// ErrRan is what a second Run returns: a Node runs once. Make another.
	ErrRan = errors.New("actor: a node runs once; make another")
	// ErrStopped is what calls on a node or an election return that has ended, or is about to. Make another.
	ErrStopped = errors.New("actor: stopped")
	// ErrUnjoined is part of Run's error when calls to the store did not return within Config.JoinLimit although their
	// context had ended. Their goroutines still exist. The store's client ignores contexts: mend it.
	ErrUnjoined = errors.New("actor: calls to the store did not return")
	// ErrHung is the error of an election while two earlier calls for it have not returned although their contexts have
	// ended. No more are made until one does.
	ErrHung = errors.New("actor: earlier calls to the store have not returned")
)

// Ended is why leadership ended. It is the context.Cause of the work's context.
type Ended struct {
	Key    string
	Term   lease.Term
	Reason fsm.Reason // Expired, Lost, Finished, Resigned, HandedOver, Paused or Stopped
	Err    error      // the store's latest error, if that was the reason
}

// Error says which term of which key ended, and why.
func (e *Ended) Error() string {
	s := fmt.Sprintf("actor: term %d of %q ended: %s", e.Term, e.Key, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *Ended) Unwrap() error { return e.Err }
