//go:build linux

package s3

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// kind is a server that keeps conditions, and what differs between those that do.
type kind struct {
	spec servers.Spec
	// allow returns who may do what policy says, as it is written for IAM, and nothing else; "" allows nothing. Whoever
	// was allowed something before need not be any more.
	allow func(t *testing.T, s server, policy string) func(*awss3.Options)
	// buries says that a versioned bucket does not create an object anew that was deleted.
	buries bool
}

// kinds is every server that must pass; those that take minutes to build have the build tag of their tests.
func kinds() []kind {
	return append([]kind{{spec: servers.VersityGW(), allow: allowVersity, buries: true}}, slowKinds()...)
}

// server is a server of one kind with a bucket.
type server struct {
	*servers.Server
	kind
}

// each runs a test on a server of each kind.
func each(t *testing.T, test func(t *testing.T, s server)) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.spec.Name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, k))
		})
	}
}

func start(t servers.TB, k kind) server {
	t.Helper()
	s := servers.Test(t, k.spec)
	create(t, connect(t, s.Addr()))
	return server{s, k}
}

// allowVersity makes a user, and a policy of the bucket in its favour.
func allowVersity(t *testing.T, s server, policy string) func(*awss3.Options) {
	t.Helper()
	program, err := servers.Program("versitygw-1.8.0")
	if err != nil {
		t.Fatal(err)
	}
	user := lease.NewIncarnation()
	out, err := exec.CommandContext(t.Context(), program, "admin", "--access", servers.S3Access, "--secret",
		servers.S3Secret, "--endpoint-url", "http://"+s.Addr(), "create-user", "--access", user, "--secret",
		"least-secret", "--role", "user").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if policy != "" {
		policy = strings.ReplaceAll(policy, `"Effect": "Allow",`,
			`"Effect": "Allow", "Principal": {"AWS": ["`+user+`"]},`)
		_, err = connect(t, s.Addr()).PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{
			Bucket: aws.String("leases"), Policy: &policy,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return as(user, "least-secret")
}
