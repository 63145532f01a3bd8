package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// code returns what the server calls an error, "" if it is not the server's.
func code(err error) string {
	var said smithy.APIError
	if !errors.As(err, &said) {
		return ""
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		switch response.HTTPStatusCode() {
		case http.StatusPreconditionFailed:
			return "PreconditionFailed"
		case http.StatusNotImplemented:
			return "NotImplemented"
		}
	}
	return said.ErrorCode()
}

// remedies is what to do about errors that trying again soon does not cure.
var remedies = map[string]string{
	"NoSuchBucket":      "create it, or set Config.Bucket right",
	"InvalidBucketName": "set Config.Bucket right",
	"AccessDenied": "allow s3:GetObject and s3:PutObject on the objects behind the prefix, and s3:ListBucket on the " +
		"bucket, without which a missing object is called forbidden",
	"AllAccessDisabled":            "enable access to the bucket",
	"AccountProblem":               "see to the account",
	"InvalidAccessKeyId":           "set the client's credentials right",
	"SignatureDoesNotMatch":        "set the client's credentials right",
	"InvalidToken":                 "set the client's credentials right",
	"ExpiredToken":                 "renew the client's credentials",
	"RequestTimeTooSkewed":         "set the clock of this host right",
	"PermanentRedirect":            "set the client's region to that of the bucket",
	"AuthorizationHeaderMalformed": "set the client's region to that of the bucket",
	"IllegalLocationConstraint":    "set the client's region to that of the bucket",
	"InvalidObjectState":           "the object is archived: exempt the prefix from the lifecycle rule",
	"NotImplemented":               "the server does not know conditional writes: use one that does",
	"MethodNotAllowed":             "something at that address is no object store",
	"InvalidRequest":               "the server does not take what is asked of it",
	"KMS.DisabledException":        "enable the key that the bucket is encrypted with",
	"KMS.NotFoundException":        "create the key that the bucket is encrypted with",
	"KMSInvalidStateException":     "enable the key that the bucket is encrypted with",
	"InvalidArgument":              "the server does not take what is asked of it",
}

// explain adds the remedy to an error of the server and marks it, if it is one that lasts. Others pass: a broken
// connection, a time limit, a busy server.
func (b *bucket) explain(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if advice, ok := remedies[code(err)]; ok {
		return lease.Permanent(fmt.Errorf("%w; %s", err, advice))
	}
	if code(err) == "" {
		return trust.Explain(err)
	}
	return err
}

// date returns the server's time in an answer that is an error, the zero time if there is none.
func date(err error) time.Time {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.HTTPResponse() == nil {
		return time.Time{}
	}
	t, err := smithyhttp.ParseTime(response.HTTPResponse().Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}
