// Package hostclock tells the time that all processes of one host share and that goes on while the host sleeps.
//
// A deadline that one process hands to another must not be a duration: the receiver would count it from whenever it
// happens to read it, and a pause between the two would stretch it. It must not be the time of day either, which
// people and daemons set. On Linux an [Instant] is the time since boot, suspend included (CLOCK_BOOTTIME). Elsewhere
// it is the time of day, for want of a clock that the standard library can reach; an [Alarm] there also counts the
// duration on the monotonic clock from when it was set, and rings at whichever comes first.
package hostclock

import "time"

// Instant is a moment of this host in nanoseconds. Only instants of one host and one boot compare. Zero is no instant.
type Instant int64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns how much later i is than j.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Passed reports whether i has come.
func (i Instant) Passed() bool { return Now() >= i }

// Earliest returns the earliest of the instants that are not zero, or zero if all are.
func Earliest(instants ...Instant) Instant {
	var first Instant
	for _, i := range instants {
		if i != 0 && (first == 0 || i < first) {
			first = i
		}
	}
	return first
}
