package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// code returns the status of HTTP behind err, 0 if there is none.
func code(err error) int {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Code
	}
	return 0
}

// absent reports that there is no such Lease, which is not the same as a server that knows of no Leases.
func absent(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Code == statusNotFound && s.Reason == "NotFound" && s.Kind == "leases"
}

// explain marks what trying again soon does not cure, and adds what does.
func explain(err error) error {
	var s *StatusError
	if !errors.As(err, &s) {
		return trust.Explain(err)
	}
	switch {
	case s.Code == statusUnauthorized:
		err = fmt.Errorf("%w; the token is missing, wrong or expired: check the service account", err)
	case s.Code == statusForbidden && strings.Contains(s.Message, "being terminated"):
		err = fmt.Errorf("%w; use a namespace that stays", err)
	case s.Code == statusForbidden:
		err = fmt.Errorf("%w; grant get, create, update and watch on leases, see docs/stores/kubernetes.md", err)
	case s.Code == statusNotFound && s.Kind == "namespaces":
		err = fmt.Errorf("%w; create the namespace or correct its name", err)
	case s.Code == statusNotFound && !absent(err):
		err = fmt.Errorf("%w; it serves no coordination.k8s.io/v1: check its address", err)
	case s.Code == statusInvalid || s.Code == 400 || s.Code == 405 || s.Code == 406 || s.Code == 415:
		err = fmt.Errorf("%w; this server does not take a Lease as Tenure writes it", err)
	default:
		return err
	}
	return lease.Permanent(err)
}

// hopeless reports that the server has refused a write for good, or asks to be left alone: no use in reading it back.
func hopeless(err error) bool {
	return errors.Is(err, lease.ErrPermanent) || code(err) == statusTooMany
}

// ended returns why ctx has ended, or nil if it has not.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// fail names the operation, the key and its Lease; the causes stay visible to errors.Is.
func fail(op, key string, err error) error {
	return fmt.Errorf("lease: %s %q: %w (Lease %s)", op, key, oneLine{err}, LeaseName(key))
}

// oneLine is an error whose text has no line breaks, so that joined causes read as one sentence in a log.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }

// first is the error of a write, if there was one, and of the look that was to settle it: the text is that of the
// first, since the second mostly repeats it; errors.Is sees both.
type first struct{ write, look error }

func (e first) Error() string {
	if e.write == nil {
		return e.look.Error()
	}
	return e.write.Error()
}

func (e first) Unwrap() []error {
	if e.write == nil {
		return []error{e.look}
	}
	return []error{e.write, e.look}
}
