package azureblob

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// refused reports whether err says that the lease of the blob is another's, or is over.
func refused(err error) bool {
	return bloberror.HasCode(err, bloberror.LeaseAlreadyPresent, bloberror.LeaseAlreadyBroken,
		bloberror.LeaseIsBreakingAndCannotBeAcquired, bloberror.LeaseIsBreakingAndCannotBeChanged,
		bloberror.LeaseIsBrokenAndCannotBeRenewed, bloberror.LeaseIDMismatchWithBlobOperation,
		bloberror.LeaseIDMismatchWithLeaseOperation, bloberror.LeaseIDMissing, bloberror.LeaseLost,
		bloberror.LeaseNotPresentWithBlobOperation, bloberror.LeaseNotPresentWithLeaseOperation)
}

// explain makes one line of what the service says, leaves out what may be secret, and marks what trying again will not
// cure.
func explain(err error) error {
	if err == nil || errors.Is(err, lease.ErrPermanent) {
		return err
	}
	var response *azcore.ResponseError
	var address *url.Error
	switch {
	case errors.As(err, &response):
		e := &fault{fmt.Sprintf("the service says %d %s", response.StatusCode, response.ErrorCode), err}
		if remedy := remedy(response); remedy != "" {
			e.text += ": " + remedy
			return lease.Permanent(e)
		}
		return e
	case errors.As(err, &address): // its text has the whole URL, which may have been signed
		return trust.Explain(&fault{fmt.Sprintf("%s: %v", address.Op, address.Err), err})
	}
	return err
}

// remedy says what a person can do about an answer, "" if trying again may help.
func remedy(r *azcore.ResponseError) string {
	switch code := bloberror.Code(r.ErrorCode); {
	case code == bloberror.LeaseIDMissing || code == bloberror.LeaseIDMismatchWithBlobOperation:
		return "the blob is leased by something else; break that lease, or set Config.Prefix to another"
	case code == bloberror.AccountIsDisabled || code == bloberror.InvalidResourceName ||
		code == bloberror.InvalidURI || code == bloberror.InvalidBlobType || code == bloberror.ResourceTypeMismatch ||
		code == bloberror.FeatureVersionMismatch || code == bloberror.BlobArchived:
		return "name a container and a prefix whose blobs can be written"
	case code == bloberror.ContainerNotFound:
		return "make the container, or give these credentials the right to"
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		return "give these credentials the right to read, create and write blobs in the container"
	}
	return ""
}

// fault is an error with a text of our own and the cause for errors.As.
type fault struct {
	text string
	err  error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

// fail names the operation, the key and the blob; the causes stay visible to errors.Is.
func (n *native) fail(op, key string, err error) error {
	return fmt.Errorf("lease: %s %q: %w (blob %s)", op, key, oneLine{explain(err)}, n.name(key))
}

// oneLine is an error whose text has no line breaks, so that joined causes read as one sentence in a log.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }

// ascii writes JSON so that it fits into a header: without a line break, and with what is not ASCII escaped.
func ascii(json []byte) string {
	var s strings.Builder
	for _, r := range strings.TrimSpace(string(json)) {
		switch {
		case r < 0x80:
			s.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&s, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&s, `\u%04x`, r)
		}
	}
	return s.String()
}
