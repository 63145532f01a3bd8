package store_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// quiet keeps the SDK from what this machine may know of AWS.
func quiet(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": servers.S3Access, "AWS_SECRET_ACCESS_KEY": servers.S3Secret, "AWS_REGION": "",
		"AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	} {
		t.Setenv(name, value)
	}
}

func TestAnAddressOfABucketSaysAllThatIsNeeded(t *testing.T) {
	quiet(t)
	s := servers.Test(t, servers.VersityGW())
	m, err := store.Open("s3://nowhere/leases/?region=us-east-1&path-style=true&endpoint=" +
		url.QueryEscape("http://"+s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	_, err = m.Acquire(t.Context(), "k", lease.Holder{Name: "n", Incarnation: "i"}, time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "NoSuchBucket") ||
		!strings.Contains(err.Error(), "s3://nowhere/leases/k-k") {
		t.Errorf("%v; want to be told that the bucket is missing, and which", err)
	}
}

func TestAnAddressOfABucketThatCannotBeMeantIsRefused(t *testing.T) {
	quiet(t)
	for address, says := range map[string]string{
		"s3:":                                         "names no bucket",
		"s3:///prefix":                                "names no bucket",
		"s3:bucket":                                   "no address of a bucket",
		"s3://bucket:1/":                              "no address of a bucket",
		"s3://bucket":                                 "AWS_REGION",
		"s3://key:secret@bucket":                      "AWS_SECRET_ACCESS_KEY",
		"s3://bucket?colour=red":                      `"colour" is unknown`,
		"s3://bucket?region=a&region=b":               "2 times",
		"s3://bucket?credentials=here":                "the whole path",
		"s3://bucket?path-style=perhaps":              "true or false",
		"s3://bucket?endpoint=host":                   "no URL",
		"s3://bucket?endpoint=ftp://host":             "no URL",
		"s3://bucket?endpoint=http://me:secret@host":  "no URL",
		"s3://bucket?%zz":                             "NAME=VALUE",
		"s3://bucket?ca=/missing":                     "/missing",
		"s3://bucket?ca=/missing&endpoint=http://h:1": "endpoint=https",
	} {
		_, err := store.Open(address)
		if !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), ":secret") {
			t.Errorf("%s: error is %v; want ErrURL that says %q", address, err, says)
		}
	}
}
