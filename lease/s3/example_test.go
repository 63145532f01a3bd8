package s3_test

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease/s3"
)

// The client is the caller's; with config.LoadDefaultConfig it finds region and credentials by itself.
func Example() {
	client := awss3.New(awss3.Options{
		Region:      "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("ACCESS", "SECRET", ""),
	})
	m, err := s3.New(s3.Config{Client: client, Bucket: "my-leases"})
	if err != nil {
		log.Fatal(err)
	}
	work := func(ctx context.Context, t *actor.Tenure) error {
		log.Println("leading under term", t.Term())
		<-ctx.Done()
		return nil
	}
	if err := actor.Run(context.Background(), m, "billing", work); err != nil {
		log.Fatal(err)
	}
}
