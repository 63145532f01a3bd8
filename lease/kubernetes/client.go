package kubernetes

import (
	"context"
	"fmt"
)

// Client reaches the Leases of one namespace: the objects of coordination.k8s.io/v1, as JSON. [HTTP] is one that
// needs nothing but the standard library, [Typed] makes one of client-go's. It is safe for concurrent use; its
// methods return soon after their context ends, and report what the server refuses as a *[StatusError].
type Client interface {
	// Get returns the Lease.
	Get(ctx context.Context, name string) ([]byte, error)
	// Create makes a Lease of that name and returns it as the server has it then.
	Create(ctx context.Context, name string, lease []byte) ([]byte, error)
	// Update replaces the Lease of that name, provided that it still has the resourceVersion that stands in lease, and
	// returns it as the server has it then.
	Update(ctx context.Context, name string, lease []byte) ([]byte, error)
	// Watch calls event with the Lease of that name, first as it is if there is one, then after each change, and with
	// nil when it was deleted. It returns when ctx ends, or when the server ends the stream, which it does now and then:
	// ask again.
	Watch(ctx context.Context, name string, event func(lease []byte)) error
}

// The codes of HTTP that decide what happens next.
const (
	statusUnauthorized = 401
	statusForbidden    = 403
	statusNotFound     = 404
	statusConflict     = 409
	statusGone         = 410
	statusInvalid      = 422
	statusTooMany      = 429
)

// StatusError is what the server answers when it does not do what it was asked.
type StatusError struct {
	Code    int    // the status of HTTP: 409 for a conflict or an object that exists, 404 for one that does not
	Reason  string // in one word, such as Conflict; empty if the answer did not come from an API server
	Message string // for people; never empty
	Kind    string // what the answer is about, such as leases or namespaces; empty if it does not say
}

// Error is the code and what the server says.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answers %d: %s", e.Code, e.Message)
}

// status is the answer of a server that is no object, as Kubernetes writes it.
type status struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
	Details struct {
		Kind string `json:"kind"`
	} `json:"details"`
}

func (s status) err() *StatusError {
	return &StatusError{Code: s.Code, Reason: s.Reason, Message: limit(s.Message), Kind: s.Details.Kind}
}

// limit keeps one line of a text from outside.
func limit(text string) string {
	const most = 500
	if len(text) > most {
		text = text[:most] + "..."
	}
	return oneLine{fmt.Errorf("%s", text)}.Error()
}
