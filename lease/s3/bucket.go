package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// bucket is the register: one object for each key, whose version is its ETag.
type bucket struct {
	c       Config
	clock   atomic.Int64  // the latest time that the server has told, in microseconds since 1970
	tested  atomic.Bool   // the server keeps conditions
	testing chan struct{} // holds one token while they are put to the test
}

var _ register.Register = (*bucket)(nil)

func (b *bucket) object(key string) string { return b.c.Prefix + name(key) }

func (b *bucket) where(key string) string { return "object s3://" + b.c.Bucket + "/" + b.object(key) }

// heard takes in the time of an answer.
func (b *bucket) heard(t time.Time) {
	if t.Year() >= 2200 { // such a clock is not right, and terms end in 2255
		return
	}
	for now := t.UnixMicro(); ; {
		old := b.clock.Load()
		if now <= old || b.clock.CompareAndSwap(old, now) {
			return
		}
	}
}

func serverTime(m middleware.Metadata) time.Time {
	t, _ := awsmiddleware.GetServerTime(m)
	return t
}

// floor is what terms must be greater than though the object is gone.
func (b *bucket) floor(string) lease.Term { return lease.Term(max(b.clock.Load(), 0)) }

// Load reads the object of key.
func (b *bucket) Load(ctx context.Context, key string) ([]byte, string, error) {
	object := b.object(key)
	o, err := b.c.Client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &b.c.Bucket, Key: &object})
	switch {
	case code(err) == "NoSuchKey":
		b.heard(date(err))
		return nil, "", nil
	case err != nil:
		return nil, "", b.explain(err)
	}
	defer func() { _ = o.Body.Close() }()
	b.heard(serverTime(o.ResultMetadata))
	value, err := io.ReadAll(io.LimitReader(o.Body, register.MaxSize+1))
	if err != nil {
		return nil, "", fmt.Errorf("reading the object: %w", err)
	}
	if aws.ToString(o.ETag) == "" {
		return nil, "", lease.Permanent(errors.New("the server gives objects no ETag, so that writes cannot be made " +
			"conditional: use another"))
	}
	return value, *o.ETag, nil
}

// Store writes the object of key under a condition.
func (b *bucket) Store(ctx context.Context, key string, value []byte, version string) (string, error) {
	if err := b.test(ctx); err != nil {
		return "", err
	}
	return b.put(ctx, b.object(key), value, version)
}

func (b *bucket) put(ctx context.Context, object string, value []byte, version string) (string, error) {
	in := &awss3.PutObjectInput{
		Bucket: &b.c.Bucket, Key: &object, Body: bytes.NewReader(value), ContentType: aws.String("application/json"),
	}
	if version == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &version
	}
	o, err := b.c.Client.PutObject(ctx, in)
	switch code(err) {
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey":
		return "", fmt.Errorf("%w: %w", register.ErrConflict, err)
	}
	if err != nil {
		return "", b.explain(err)
	}
	b.heard(serverTime(o.ResultMetadata))
	return aws.ToString(o.ETag), nil
}

// strange is an ETag that no object has: that of nothing, after MD5.
const strange = `"d41d8cd98f00b204e9800998ecf8427e"`

// test finds out, once, whether the server keeps conditions. The object that it writes for that stays.
func (b *bucket) test(ctx context.Context) error {
	if b.tested.Load() {
		return nil
	}
	select {
	case b.testing <- struct{}{}:
		defer func() { <-b.testing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.tested.Load() {
		return nil
	}
	object := b.c.Prefix + "probe"
	for _, try := range []struct{ condition, version string }{
		{"", ""}, {"If-None-Match: *", ""}, {"If-Match", strange},
	} {
		text := fmt.Appendf(nil, "This object tests whether conditional writes are kept. %s", time.Now())
		switch _, err := b.put(ctx, object, text, try.version); {
		case err == nil && try.condition != "":
			return lease.Permanent(fmt.Errorf("the server ignores %s when it writes (object %s), so that everybody would "+
				"lead: use one that keeps conditions", try.condition, object))
		case err != nil && !errors.Is(err, register.ErrConflict):
			return fmt.Errorf("testing whether the server keeps conditions: %w", err)
		}
	}
	b.tested.Store(true)
	return nil
}
