//go:build linux && minio

package stands

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/internal/servers"
)

// minioKinds is a bucket of MinIO.
func minioKinds() map[string]Kind {
	return map[string]Kind{"minio": {
		Server: func(*servers.Server) servers.Spec { return servers.MinIO() },
		Prepare: func(ctx context.Context, s *servers.Server) error {
			transport := http.DefaultTransport.(*http.Transport).Clone()
			defer transport.CloseIdleConnections()
			_, err := awss3.New(awss3.Options{
				Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.Addr()), UsePathStyle: true,
				HTTPClient: &http.Client{Transport: transport},
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: servers.S3Access, SecretAccessKey: servers.S3Secret}, nil
				}),
			}).CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: aws.String("leases")})
			return errors.Join(err, writeS3Credentials(s))
		},
		Address: s3Address, TTL: 3 * time.Second, Register: true,
	}}
}
