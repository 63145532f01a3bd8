package fsm

import (
	"errors"
	"fmt"
	"time"
)

// Timing is every length of time in an election. Only TTL must be given: zero fields are derived from it by
// [Timing.Derive]. With a TTL of 15 s: renew every 5 s, each call may take 2.5 s, ask again 1 s after a failure,
// stop leading 11.85 s after the last successful renewal was sent, 3 s for the work to return.
type Timing struct {
	// TTL is how long the store grants a lease for.
	TTL time.Duration
	// Renew is how long after sending one successful renewal the next is sent. Default TTL/3.
	Renew time.Duration
	// Retry is how soon a call is repeated that brought no usable answer. A leader goes on at this pace; a follower's
	// waits double, up to 16 times this. Default TTL/15.
	Retry time.Duration
	// CallTimeout is how long the answer to one call is awaited. Default TTL/6.
	CallTimeout time.Duration
	// Grace is how long before the end of the lease the work is told to stop, and so how long it may take to return.
	// Default TTL/5. Negative: none, for work that needs no time.
	Grace time.Duration
	// Drift is the largest ratio by which the clock rates of two hosts differ. Default 0.01. Negative: none, for
	// hosts that share a clock.
	Drift float64
	// Drain is for how long after leaving of its own will a leader goes on renewing while its work winds down.
	// Default 2*TTL.
	Drain time.Duration
	// Poll is how long a follower waits before it stands again, unless it learns that waiting less, pays. Default TTL/3.
	Poll time.Duration
	// Jitter is by how many percent, at most, a wait is shortened at random. Default 20. Negative: none.
	Jitter int
}

// Derive returns t with every zero field set from TTL. Deriving twice is deriving once.
func (t Timing) Derive() Timing {
	set := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	set(&t.Renew, t.TTL/3)
	set(&t.Retry, t.TTL/15)
	set(&t.CallTimeout, t.TTL/6)
	set(&t.Grace, t.TTL/5)
	set(&t.Drain, 2*t.TTL)
	set(&t.Poll, t.TTL/3)
	if t.Drift == 0 {
		t.Drift = 0.01
	}
	if t.Jitter == 0 {
		t.Jitter = 20
	}
	return t
}

// Lead is how long after sending a successful Acquire or Renew a leader may act: TTL·(1-Drift) - Grace.
//
// Why the drift: a leader whose clock runs 1 % slow believes that 14.85 s have passed when the store has counted 15 s
// and granted the lease to another. Why the grace: work that is told to stop at the last moment acts on into the next
// leader's term. Fields that are zero count as zero here: derive first.
func (t Timing) Lead() time.Duration { return t.lead() }

func (t *Timing) lead() time.Duration { return t.TTL - t.drift(t.TTL) - t.grace() }

// CrashFailover is the longest time from the crash of a leader to the next leader, among followers that reach the
// store: the lease runs out, within one poll somebody asks, and within one call is answered. With a store that tells
// for how much longer the lease is held, or that can be watched, the poll does not count.
func (t Timing) CrashFailover() time.Duration { return t.TTL + t.drift(t.TTL) + t.Poll + t.CallTimeout }

func (t *Timing) drift(d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(t.Drift, 0))
}

func (t *Timing) grace() time.Duration { return max(t.Grace, 0) }

// releaseLimit is how long the store may take to confirm a release, several attempts together.
func (t *Timing) releaseLimit() time.Duration { return 2 * t.CallTimeout }

// Check returns an error that names every field at fault, its value and the inequality that fails, after deriving what
// is zero. Nil means that the timing is safe and that a leader survives one lost renewal.
func (t Timing) Check() error {
	var faults []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("fsm: timing: "+format, args...))
		}
	}
	if t.TTL < time.Millisecond || t.TTL > maxTTL { // all else is measured by it
		return fmt.Errorf("fsm: timing: TTL %v must be from 1ms to %v; give the lease a length, such as 15s", t.TTL, maxTTL)
	}
	t = t.Derive()
	within := func(name string, d, most time.Duration) {
		must(d > 0, "%s %v must be more than 0", name, d)
		must(d <= most, "%s %v must be at most %v", name, d, most)
	}
	within("Renew", t.Renew, maxTTL)
	within("Retry", t.Retry, maxTTL)
	within("CallTimeout", t.CallTimeout, maxTTL)
	within("Drain", t.Drain, 2*maxTTL)
	within("Poll", t.Poll, maxTTL)
	must(t.Drift < 0.5, "Drift %g must be less than 0.5", t.Drift)
	must(t.Jitter <= 50, "Jitter %d%% must be at most 50%%", t.Jitter)
	must(t.Lead() > 0, "Grace %v leaves no time to lead: TTL·(1-Drift) - Grace = %v", t.Grace, t.Lead())
	twice := t.Renew + t.CallTimeout + t.Retry + t.CallTimeout
	must(len(faults) > 0 || twice <= t.Lead(),
		"one lost renewal would end the term: Renew %v + CallTimeout %v + Retry %v + CallTimeout %v = %v must be at most"+
			" TTL·(1-Drift) - Grace = %v", t.Renew, t.CallTimeout, t.Retry, t.CallTimeout, twice, t.Lead())
	return errors.Join(faults...)
}

// maxTTL keeps sums of lengths of time far from overflow.
const maxTTL = 10 * 365 * 24 * time.Hour
