package store

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/lease/s3"
)

// openS3 opens s3://BUCKET[/PREFIX]. Credentials, and the region unless it is given, are what the AWS SDK finds in the
// environment and its files.
func openS3(address string) (Manager, func() error, error) {
	c, o, files, err := s3Options(address)
	if err != nil {
		return nil, nil, err
	}
	secure, err := tlsConfig(files)
	if err != nil {
		return nil, nil, fault("s3: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig = secure })
	with := []func(*awsconfig.LoadOptions) error{awsconfig.WithHTTPClient(transport)}
	if credentials := files.Get("credentials"); credentials != "" {
		with = append(with, awsconfig.WithSharedCredentialsFiles([]string{credentials}))
	}
	found, err := awsconfig.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return nil, nil, fmt.Errorf("store: s3: what the environment says of AWS cannot be used: %w", err)
	}
	if o.Region == "" {
		o.Region = found.Region
	}
	if o.Region == "" {
		return nil, nil, fault("s3: no region is known; add ?region=R, or set AWS_REGION")
	}
	c.Client = awss3.NewFromConfig(found, func(to *awss3.Options) {
		to.Region, to.UsePathStyle = o.Region, o.UsePathStyle
		if o.BaseEndpoint != nil {
			to.BaseEndpoint = o.BaseEndpoint
		}
	})
	m, err := s3.New(c)
	if err != nil {
		return nil, nil, err
	}
	// The SDK shows nobody the transport that it uses; idle connections close by themselves after a while.
	return m, func() error { return nil }, nil
}

// s3Options reads an address, and which files it names for the credentials and for TLS.
func s3Options(address string) (c s3.Config, o awss3.Options, files url.Values, err error) {
	const form = "s3://BUCKET[/PREFIX]"
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Fragment != "" || u.Port() != "" {
		return c, o, nil, fault("that is no address of a bucket; write %s", form)
	}
	if u.User != nil {
		return c, o, nil, fault("s3: credentials do not stand in the address; set AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY, or whatever else the AWS SDK reads")
	}
	if c.Bucket, c.Prefix = u.Host, strings.TrimPrefix(u.Path, "/"); c.Bucket == "" {
		return c, o, nil, fault("s3: names no bucket; write %s", form)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, o, nil, fault("s3: what follows the ? is not NAME=VALUE&NAME=VALUE")
	}
	for name, values := range query {
		if len(values) > 1 {
			return c, o, nil, fault("s3: %.40q is given %d times", name, len(values))
		}
		switch value := values[0]; name {
		case "region":
			o.Region = value
		case "ca", "cert", "key": // see tlsConfig
		case "credentials":
			if !filepath.IsAbs(value) {
				return c, o, nil, fault("s3: credentials=%.80q must be the whole path of a file", value)
			}
		case "endpoint":
			e, err := url.Parse(value)
			if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" || e.User != nil || e.RawQuery != "" {
				return c, o, nil, fault("s3: the endpoint is no URL such as https://HOST:PORT")
			}
			o.BaseEndpoint = aws.String(value)
		case "path-style":
			if o.UsePathStyle, err = strconv.ParseBool(value); err != nil {
				return c, o, nil, fault("s3: path-style=%.40q is not true or false", value)
			}
		default:
			return c, o, nil, fault("s3: the parameter %.40q is unknown; known: ca, cert, credentials, endpoint, "+
				"key, path-style, region", name)
		}
	}
	if strings.HasPrefix(aws.ToString(o.BaseEndpoint), "http:") && secured(query) {
		return c, o, nil, fault("s3: ca, cert and key are for TLS; write endpoint=https://HOST:PORT")
	}
	return c, o, query, nil
}
