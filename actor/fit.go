package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// stall is how late the actor may be before it is called wedged.
const stall = 10 * time.Second

// Serve is Run, for supervisors that ask for this name, such as suture. A node runs once: a supervisor must not restart
// it.
func (n *Node) Serve(ctx context.Context) error { return n.Run(ctx) }

// Start is Run, for managers that ask for this name, such as controller-runtime's.
func (n *Node) Start(ctx context.Context) error { return n.Run(ctx) }

// NeedLeaderElection returns false: a node does its own electing and has to run on every replica.
func (n *Node) NeedLeaderElection() bool { return false }

// Healthz returns an error if the node does not do its duty although it should: its one goroutine is late by more than
// 10 s. It is nil before Run and while following. The request is not used.
func (n *Node) Healthz(*http.Request) error {
	due := fsm.Instant(n.due.Load())
	if late := n.clock.now().Sub(due); due != fsm.Never && late > stall {
		return fmt.Errorf("actor: the node has been stuck for %v; look at what its Hooks, TTLFunc and Logger do",
			late.Round(time.Second))
	}
	return nil
}

// Livez answers 200, or 503 with the reason if [Node.Healthz] is an error: then the process should be restarted.
func (n *Node) Livez() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, n.Healthz(r)) })
}

// Readyz answers 200 while Run runs, leading or not, and 503 before and after. Readiness must not depend on leading: a
// rolling update that waits for the new process to lead waits for the old one to stop, which waits for the new one to
// be ready.
func (n *Node) Readyz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		ended := n.ended
		n.mu.Unlock()
		switch {
		case ended:
			answer(w, r, ErrStopped)
		case !n.ran.Load():
			answer(w, r, errors.New("actor: not started"))
		default:
			answer(w, r, n.Healthz(r))
		}
	})
}

// Leaderz answers 200 while this node leads and 503 otherwise, with the [Status] as JSON: for load balancers and
// people.
func (c *Campaign) Leaderz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := c.Status()
		body, err := json.Marshal(st)
		if err != nil {
			answer(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !st.Leading {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Method != http.MethodHead {
			_, _ = w.Write(append(body, '\n'))
		}
	})
}

// answer writes ok or the error, as text.
func answer(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text))
	}
}

// MarshalJSON writes lengths of time in seconds, states and reasons by name, and the error as text.
func (s Status) MarshalJSON() ([]byte, error) {
	out := struct {
		Key       string  `json:"key"`
		State     string  `json:"state"`
		Leading   bool    `json:"leading"`
		Paused    bool    `json:"paused,omitempty"`
		Overrun   bool    `json:"overrun,omitempty"`
		Reason    string  `json:"reason"`
		Term      uint64  `json:"term"`
		Leader    string  `json:"leader,omitempty"`
		Meta      string  `json:"meta,omitempty"`
		Remaining float64 `json:"remaining_seconds"`
		Since     string  `json:"since,omitempty"`
		Err       string  `json:"error,omitempty"`
	}{
		Key: s.Key, State: s.State.String(), Leading: s.Leading, Paused: s.Paused, Overrun: s.Overrun,
		Reason: s.Reason.String(), Term: uint64(s.Term), Leader: s.Leader.Name, Meta: s.Leader.Meta,
		Remaining: s.Remaining.Seconds(),
	}
	if !s.Since.IsZero() {
		out.Since = s.Since.UTC().Format(time.RFC3339Nano)
	}
	if s.Err != nil {
		out.Err = s.Err.Error()
	}
	return json.Marshal(out)
}
