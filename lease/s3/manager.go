package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// Client is what is needed of a client of S3. *s3.Client of the AWS SDK has it.
type Client interface {
	GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
	PutObject(context.Context, *awss3.PutObjectInput, ...func(*awss3.Options)) (*awss3.PutObjectOutput, error)
}

var _ Client = (*awss3.Client)(nil)

// Config says what a Manager is made of. Client and Bucket must be set.
type Config struct {
	// Client reaches the server, with the caller's region, endpoint, credentials, timeouts and retries. It stays the
	// caller's.
	Client Client
	// Bucket is the bucket, which must exist, or the ARN of an access point. Without replication: a copy is another store.
	Bucket string
	// Prefix begins the name of every object. Whoever competes must use the same. Empty means "tenure/". At most 256
	// bytes of printable ASCII.
	Prefix string
	// Drift is how much longer than its length a lease is left alone, as a fraction: the largest ratio by which the
	// clocks of two hosts may differ in rate. Zero means 0.01, that is 1 %. From 0 to less than 1.
	Drift float64
}

const (
	maxPrefix = 256
	maxBucket = 2048
	// minTTL leaves time for a few requests over the internet.
	minTTL = time.Second
)

// Check returns every fault of c.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("s3: "+format, args...)) }
	if c.Client == nil {
		fault("Config.Client is nil; set it to the *s3.Client to use")
	}
	if c.Bucket == "" || len(c.Bucket) > maxBucket || strings.ContainsFunc(c.Bucket, unfit) {
		fault("Config.Bucket %.120q must be the name of a bucket or the ARN of an access point", c.Bucket)
	}
	if len(c.Prefix) > maxPrefix || strings.ContainsFunc(c.Prefix, unfit) {
		fault("Config.Prefix %.120q must be at most %d bytes of printable ASCII", c.Prefix, maxPrefix)
	}
	if !(c.Drift >= 0 && c.Drift < 1) { // nor is it a number otherwise
		fault("Config.Drift %v does not keep 0 <= Drift < 1", c.Drift)
	}
	return errors.Join(faults...)
}

func unfit(r rune) bool { return r < 0x20 || r >= 0x7f }

// Manager is a [lease.Manager] in a bucket. It is safe for concurrent use, starts nothing and needs no closing.
type Manager struct {
	// Its Acquire costs one GET and one PUT; the first of a Manager two or three PUTs more, which put the server to the
	// test.
	*register.Manager
	bucket *bucket
}

var (
	_ lease.Manager = (*Manager)(nil)
	_ lease.Reader  = (*Manager)(nil)
	_ lease.Limiter = (*Manager)(nil)
)

// New returns a Manager, or every fault of c as [lease.ErrPermanent]. It asks nothing of the server.
func New(c Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, lease.Permanent(err)
	}
	if c.Prefix == "" {
		c.Prefix = "tenure/"
	}
	b := &bucket{c: c, testing: make(chan struct{}, 1)}
	r, err := register.New(register.Config{
		Register: b, Drift: c.Drift, Limits: lease.Limits{MinTTL: minTTL}, Floor: b.floor, Where: b.where,
	})
	if err != nil {
		return nil, lease.Permanent(err)
	}
	return &Manager{r, b}, nil
}
