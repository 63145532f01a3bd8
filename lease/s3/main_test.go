//go:build linux

package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = lease.Holder{Name: "alice", Incarnation: "a1", Meta: "10.0.0.1"}
	bob   = lease.Holder{Name: "bob", Incarnation: "b1"}
)

// connect returns a client for the length of a test.
func connect(t servers.TB, addr string, change ...func(*awss3.Options)) *awss3.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	o := awss3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr), UsePathStyle: true,
		HTTPClient:  &http.Client{Transport: transport, Timeout: 20 * time.Second},
		Credentials: credentials.NewStaticCredentialsProvider(servers.S3Access, servers.S3Secret, ""),
	}
	for _, f := range change {
		f(&o)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return awss3.New(o)
}

func as(access, secret string) func(*awss3.Options) {
	return func(o *awss3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(access, secret, "") }
}

// create makes the bucket that tests use.
func create(t servers.TB, c *awss3.Client) {
	t.Helper()
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("leases")}); err != nil {
		t.Fatalf("creating the bucket: %v", err)
	}
}

func open(t servers.TB, c Config) *Manager {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "leases"
	}
	m, err := New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

func opened(t servers.TB, addr string) *Manager {
	t.Helper()
	return open(t, Config{Client: connect(t, addr)})
}

func granted(t *testing.T, m *Manager, key string, h lease.Holder, ttl time.Duration) lease.Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), key, h, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// soon bounds one call.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, lease.ErrLost) {
		t.Errorf("%s: %v; want ErrLost", what, err)
	}
}

func wantHeld(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, lease.ErrHeld) {
		t.Errorf("%s: %v; want ErrHeld", what, err)
	}
}

// erase deletes the object of key behind the Manager's back.
func erase(t servers.TB, m *Manager, key string) {
	t.Helper()
	c := m.bucket.c.Client.(*awss3.Client)
	_, err := c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{
		Bucket: &m.bucket.c.Bucket, Key: aws.String(m.bucket.object(key)),
	})
	if err != nil {
		t.Fatalf("%v", fmt.Errorf("deleting %s: %w", m.bucket.where(key), err))
	}
}
