//go:build linux

package s3

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/go-tenure/tenure/lease"
)

// versioned has the bucket keep every version from now on.
func versioned(t *testing.T, s server) *Manager {
	t.Helper()
	_, err := connect(t, s.Addr()).PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
		Bucket: aws.String("leases"), VersioningConfiguration: &types.VersioningConfiguration{
			Status: types.BucketVersioningStatusEnabled,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, s.Addr())
}

// versions returns the versions of the object of key and the marks that it was deleted, the latest first.
func versions(t *testing.T, m *Manager, key string) (objects []types.ObjectVersion, marks []types.DeleteMarkerEntry) {
	t.Helper()
	all, err := m.bucket.c.Client.(*awss3.Client).ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{
		Bucket: &m.bucket.c.Bucket, Prefix: aws.String(m.bucket.object(key)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Versions, all.DeleteMarkers
}

// eraseVersion deletes one version for good.
func eraseVersion(t *testing.T, m *Manager, key string, version *string) {
	t.Helper()
	_, err := m.bucket.c.Client.(*awss3.Client).DeleteObject(t.Context(), &awss3.DeleteObjectInput{
		Bucket: &m.bucket.c.Bucket, Key: aws.String(m.bucket.object(key)), VersionId: version,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAVersionedBucketServesAsWell(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := versioned(t, s)
		l := granted(t, m, "k", alice, time.Minute)
		if err := errors.Join(m.Renew(t.Context(), l, time.Minute), m.Release(t.Context(), l)); err != nil {
			t.Fatal(err)
		}
		next := granted(t, m, "k", bob, time.Minute)
		if next.Term <= l.Term {
			t.Errorf("R4: term %d after %d", next.Term, l.Term)
		}
		wantLost(t, "what was released, and taken by another, is renewed", m.Renew(t.Context(), l, time.Minute))
	})
}

// A deletion leaves a mark, over versions that hold earlier terms.
func TestADeletionInAVersionedBucketTakesNoTermBack(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := versioned(t, s)
		first := granted(t, m, "k", alice, time.Minute)
		erase(t, m, "k")
		if s.buries { // the renewal counts, as if nothing had been deleted
			if err := errors.Join(m.Renew(t.Context(), first, time.Minute), m.Release(t.Context(), first)); err != nil {
				t.Error(err)
			}
			erase(t, m, "k")
		} else {
			wantLost(t, "what was deleted is renewed", m.Renew(t.Context(), first, time.Minute))
		}
		time.Sleep(1100 * time.Millisecond)
		other := opened(t, s.Addr())
		if s.buries {
			_, err := other.Acquire(soon(t), "k", bob, time.Minute)
			if _, refused := lease.Refusal(err); err == nil || refused || errors.Is(err, lease.ErrPermanent) {
				t.Errorf("%v; want a fault that passes when the mark is deleted", err)
			}
			_, marks := versions(t, m, "k")
			for _, mark := range marks {
				eraseVersion(t, m, "k", mark.VersionId)
			}
		}
		if next := granted(t, other, "k", bob, time.Minute); next.Term <= first.Term {
			t.Errorf("R4: term %d after %d", next.Term, first.Term)
		}
	})
}

// Without its latest version an object is again what it was under an earlier term.
func TestAVersionThatIsBackTakesNoTermBack(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		m := versioned(t, s)
		first := granted(t, m, "k", alice, time.Minute)
		if err := m.Release(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		second := granted(t, m, "k", bob, time.Minute)
		objects, _ := versions(t, m, "k")
		eraseVersion(t, m, "k", objects[0].VersionId)
		wantLost(t, "what was deleted is renewed", m.Renew(t.Context(), second, time.Minute))
		time.Sleep(1100 * time.Millisecond)
		if next := granted(t, opened(t, s.Addr()), "k", alice, time.Minute); next.Term <= second.Term {
			t.Errorf("R4: term %d after %d, which was deleted, and %d", next.Term, second.Term, first.Term)
		}
	})
}
