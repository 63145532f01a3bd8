// Package control is the private door of a running tenure: a socket by which other processes of the same user, on the
// same host, ask whether it leads, or ask it to resign.
//
// The socket lies in a directory that only its owner may enter. Its path is in the environment of the command that
// tenure runs (TENURE_SOCK), and in the metadata that a leader publishes in the store, so that others find it. What
// the store says is foreign data: a path that is not such a socket of ours is not talked to.
//
// One connection carries one request and one answer, a JSON object each, on a line each.
package control

import (
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/lease"
)

const (
	// Check asks whether tenure leads now, under Request.Term if that is not zero.
	Check = "check"
	// Resign asks a leader to step down and let others stand, if its term is still Request.Term.
	Resign = "resign"
)

// Request is what is asked.
type Request struct {
	Ask  string     `json:"ask"`
	Key  string     `json:"key"`
	Term lease.Term `json:"term,omitempty"`
}

// Answer is what tenure says.
type Answer struct {
	// Leading is whether it led when it answered, under the term that was asked for.
	Leading bool `json:"leading"`
	// Term is its own term, or the newest it knows of.
	Term lease.Term `json:"term,omitempty"`
	// Leader is the name of who leads as far as it knows.
	Leader string `json:"leader,omitempty"`
	// Until is when its leadership ends unless it is renewed; zero if it does not lead.
	Until hostclock.Instant `json:"until,omitempty"`
	// Err is why it did not do what was asked, or empty.
	Err string `json:"err,omitempty"`
}

const (
	socketName  = "ctl"
	dirPrefix   = "tenure-"
	pathMost    = 100     // sockets have short paths: 104 bytes on some systems, with the final zero
	messageMost = 8 << 10 // bytes of a request or an answer
	clientsMost = 64      // connections served at once; more wait
	perClient   = 2 * time.Second
)
