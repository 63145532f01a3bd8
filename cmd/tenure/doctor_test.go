//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestTheDoctorFindsAGoodStoreGood(t *testing.T) {
	_, address := newStore(t)
	for range 2 { // the second time on what the first has left behind
		status, out, errs := call(t, "doctor", "--rounds", "20", address)
		if status != 0 || errs != "" {
			t.Fatalf("exit code is %d: %s%s", status, out, errs)
		}
		if n := strings.Count(out, "  ok     "); n != 12 || strings.Contains(out, "FAULT") {
			t.Errorf("%d checks are passed, want 12: %s", n, out)
		}
		if !regexp.MustCompile(`advice: TTLs of [\d.]+m?s and more`).MatchString(out) {
			t.Errorf("it gives no advice: %s", out)
		}
	}
}

// quack is a store with one fault.
type quack struct {
	*memory.Manager
	fault string
	terms atomic.Uint64
}

func (q *quack) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	switch q.fault {
	case "grants to everybody":
		return lease.Lease{Key: key, Holder: h, Term: lease.Term(q.terms.Add(1))}, nil
	case "forgets leases early":
		ttl /= 2
	case "knows names only":
		h.Incarnation = "same"
	}
	l, err := q.Manager.Acquire(ctx, key, h, ttl)
	if q.fault == "does not count" && err == nil {
		l.Term = 1
	}
	return l, err
}

func (q *quack) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if q.fault == "renews anything" {
		return nil
	}
	return q.Manager.Renew(ctx, l, ttl)
}

func (q *quack) Release(ctx context.Context, l lease.Lease) error {
	if q.fault == "releases for anybody" {
		if r, err := q.Read(ctx, l.Key); err == nil && !r.Vacant() {
			l = r.Lease
		}
	}
	return q.Manager.Release(ctx, l)
}

func (q *quack) Watch(key string, changed func(lease.Record)) (func(), error) {
	if q.fault == "tells nobody" {
		return func() {}, nil
	}
	return q.Manager.Watch(key, changed)
}

func TestTheDoctorFindsFaults(t *testing.T) {
	for fault, finding := range map[string]string{
		"grants to everybody":  "another holder is refused",
		"forgets leases early": "a lease of 500ms that is not renewed lasts as long",
		"knows names only":     "a second process of the same name is refused",
		"does not count":       "the holder can renew",
		"renews anything":      "a renewal of an older term is refused",
		"releases for anybody": "a release of an older term changes nothing",
		"tells nobody":         "a watcher hears of a release",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			x := &examination{m: &quack{Manager: &memory.Manager{}, fault: fault}, out: &out, took: map[string][]time.Duration{}}
			err := x.examine(t.Context(), 10)
			if err != nil || x.faults == 0 || !regexp.MustCompile("FAULT  .*"+finding).MatchString(out.String()) {
				t.Errorf("it finds %d faults, %v:\n%s", x.faults, err, out.String())
			}
		})
	}
}

func TestTheDoctorStopsWhenTheStoreFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := &examination{m: &quack{Manager: &memory.Manager{}}, out: io.Discard, took: map[string][]time.Duration{}}
	if err := x.examine(ctx, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestTheAdviceLeavesRoomForSlowCallsAndTheStepsOfTheStore(t *testing.T) {
	for _, c := range []struct {
		slowest time.Duration
		limits  lease.Limits
		want    time.Duration
	}{
		{time.Millisecond, lease.Limits{}, time.Second},
		{50 * time.Millisecond, lease.Limits{}, 3 * time.Second},
		{time.Second, lease.Limits{}, time.Minute},
		{time.Millisecond, lease.Limits{MinTTL: 15 * time.Second}, 15 * time.Second},
		{21 * time.Millisecond, lease.Limits{Step: time.Second}, 2 * time.Second},
		{21 * time.Millisecond, lease.Limits{}, 1300 * time.Millisecond},
	} {
		if got := advised(c.slowest, c.limits); got != c.want {
			t.Errorf("slowest call %v, limits %+v: advice is %v, want %v", c.slowest, c.limits, got, c.want)
		}
	}
}
