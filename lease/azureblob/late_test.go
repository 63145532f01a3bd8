package azureblob

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// leaseAction is the header as the client sets it, which is not its canonical form.
var leaseAction = "x-ms-lease-action"

// detour is a way to the service on which requests for a lease can be held up. It is used by one call at a time.
type detour struct {
	http.Transport
	holds bool          // answers that the connection is broken
	held  *http.Request // the last that was held up
	late  bool          // what was held up arrives before metadata are written
}

func (d *detour) Do(r *http.Request) (*http.Response, error) {
	switch {
	case d.holds && slices.Equal(r.Header[leaseAction], []string{"acquire"}):
		d.held = r.Clone(r.Context())
		return nil, errors.New("the connection is broken")
	case r.URL.Query().Get("comp") == "metadata" && d.late:
		d.late = false
		answer, err := d.RoundTrip(d.held.WithContext(r.Context()))
		if err != nil {
			return nil, err
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode >= 300 {
			return nil, errors.New("what was held up was refused: " + answer.Status)
		}
	}
	return d.RoundTrip(r)
}

// The id of a lease is the same until its term is written, so a request that was given up fits in between; that of
// another who stands in the same process does not make it harmless.
func TestALateRequestForAShorterLeaseDoesNotShortenTheNext(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Azurite())
	d := &detour{}
	t.Cleanup(d.CloseIdleConnections)
	credential, err := container.NewSharedKeyCredential(servers.AzuriteAccount, servers.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + s.Addr() + "/" + servers.AzuriteAccount + "/leases"
	c, err := container.NewClientWithSharedKeyCredential(address, credential,
		&container.ClientOptions{ClientOptions: azcore.ClientOptions{
			Transport: d, Retry: policy.RetryOptions{MaxRetries: -1},
		}})
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, Config{Container: c})
	vacant(t, m)
	d.holds = true
	_, err = m.Acquire(t.Context(), key, bob, maxNative)
	unknown(t, "a request of another that never arrives", err)
	_, err = m.Acquire(t.Context(), key, alice, minNative)
	unknown(t, "a request that is held up", err)
	held := d.held
	_, err = m.Acquire(t.Context(), key, bob, maxNative)
	unknown(t, "a request of another that never arrives", err)
	d.holds, d.held, d.late = false, held, true
	l := acquire(t, m, alice, maxNative)
	time.Sleep(minNative + 2*time.Second)
	if _, err := m.Acquire(t.Context(), key, bob, minNative); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("Acquire = %v while %+v lasts; want ErrHeld", err, l)
	}
}
