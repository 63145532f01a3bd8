package simulate

import "math/bits"

// Every length of time and every order that no fault decides is drawn from a hash of what it is for, not from a stream
// of random numbers: taking one fault out of a schedule then leaves every other draw as it was, which is what makes
// shrinking work.

// purpose says what a draw is for.
type purpose uint64

const (
	forTie purpose = iota + 1
	forThere
	forBack
	forNews
	forStore
	forDelay
	forWork
	forDrain
	forBoot
	forSlow
	forMachine
	forPlan
)

// draw is a well-mixed function of its arguments (the finisher is that of MurmurHash3).
func draw(seed, a, b uint64, p purpose) uint64 {
	x := seed*0x9e3779b97f4a7c15 ^ a*0xbf58476d1ce4e5b9 ^ b*0x94d049bb133111eb ^ uint64(p)*0xd6e8feb86659fd93
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// upTo makes a draw into a number from 0 to n-1; 0 if n is not positive.
func upTo(x uint64, n int64) int64 {
	if n <= 0 {
		return 0
	}
	hi, _ := bits.Mul64(x, uint64(n))
	return int64(hi)
}
