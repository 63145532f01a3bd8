//go:build linux && minio

package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/internal/servers"
)

// slowKinds are the servers that take minutes to build.
func slowKinds() []kind {
	return []kind{{spec: servers.MinIO(), allow: allowMinIO}}
}

// allowMinIO asks for temporary credentials that are held to a policy, as one asks AWS.
func allowMinIO(t *testing.T, s server, policy string) func(*awss3.Options) {
	t.Helper()
	if policy == "" {
		policy = `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Deny", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}`
	}
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "Policy": {policy}}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+"/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(form))
	owner := aws.Credentials{AccessKeyID: servers.S3Access, SecretAccessKey: servers.S3Secret}
	err = v4.NewSigner().SignHTTP(t.Context(), owner, r, hex.EncodeToString(sum[:]), "sts", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", answer.Status, err, text)
	}
	var got struct {
		Access  string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret  string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Session string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	if err := xml.Unmarshal(text, &got); err != nil || got.Session == "" {
		t.Fatalf("%v: %s", err, text)
	}
	return func(o *awss3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(got.Access, got.Secret, got.Session)
	}
}
