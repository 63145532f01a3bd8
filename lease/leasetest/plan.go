package leasetest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// ErrInjected is the error of a fault that names no other. The outcome of such a call is unknown to the caller.
var ErrInjected = errors.New("leasetest: injected fault")

// Method is a method of a Manager, a Reader or a Watcher.
type Method uint8

// The methods that a [Faulty] counts and makes fail.
const (
	Acquire Method = iota + 1
	Renew
	Release
	Read
	Watch

	methods = iota + 1
)

// String returns the method's name in lower case.
func (m Method) String() string {
	if 0 < m && m < methods {
		return [methods]string{"", "acquire", "renew", "release", "read", "watch"}[m]
	}
	return "unknown method"
}

// Kind is what goes wrong with a call.
type Kind uint8

const (
	// None: nothing goes wrong.
	None Kind = iota
	// Slow: the request is carried out after Delay, unless the context ends before.
	Slow
	// ErrorBefore: the request is not carried out; the answer is Err.
	ErrorBefore
	// ErrorAfter: the request is carried out; the answer is Err all the same.
	ErrorAfter
	// LostRequest: the request is not carried out; the call returns when its context ends.
	LostRequest
	// LostAnswer: the request is carried out; the call returns when its context ends.
	LostAnswer
	// LateRequest: the request is carried out after Delay even if the call has returned by then, because its context
	// ended.
	LateRequest
	// LateAnswer: the request is carried out at once; its answer comes after Delay, whether or not the context has ended.
	LateAnswer
	// Hang: the call ignores its context and hangs until Free or Heal; then the request is carried out.
	Hang

	kinds = iota
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if k < kinds {
		return [kinds]string{"none", "slow", "error before", "error after", "lost request", "lost answer", "late request",
			"late answer", "hang"}[k]
	}
	return "unknown kind"
}

// Fault is what goes wrong with one call. The zero Fault is no fault.
type Fault struct {
	Kind  Kind
	Delay time.Duration // for Slow, LateRequest and LateAnswer; not positive: no delay
	Err   error         // for ErrorBefore and ErrorAfter; nil: ErrInjected
}

// Call is one call of a method, as a [Plan] sees it.
type Call struct {
	Method Method
	Key    string
	Holder string // the name of the holder; empty for Read and Watch
	Number int    // among all calls, from 1, in the order in which they came
	Nth    int    // among the calls with the same Method, Key and Holder, from 1
}

// String returns the call in words, such as `renew "billing" by node-a, the 3rd`.
func (c Call) String() string {
	by := ""
	if c.Holder != "" {
		by = " by " + c.Holder
	}
	return fmt.Sprintf("%s %q%s, number %d, %d of its kind", c.Method, c.Key, by, c.Number, c.Nth)
}

// Plan says what goes wrong with a call. It is asked once for each call, one call at a time, and must not call the
// [Faulty] that asks. A nil Plan lets everything through.
type Plan func(Call) Fault

// Step is a line of a [Script]. A zero field fits every call.
type Step struct {
	Method Method
	Key    string
	Holder string
	Number int
	Nth    int
	Fault  Fault
}

func (s Step) fits(c Call) bool {
	return (s.Method == 0 || s.Method == c.Method) && (s.Key == "" || s.Key == c.Key) &&
		(s.Holder == "" || s.Holder == c.Holder) && (s.Number == 0 || s.Number == c.Number) && (s.Nth == 0 || s.Nth == c.Nth)
}

// Script returns the plan in which the first step that fits a call decides; calls that no step fits go well.
func Script(steps ...Step) Plan {
	return func(c Call) Fault {
		for _, s := range steps {
			if s.fits(c) {
				return s.Fault
			}
		}
		return Fault{}
	}
}

// Odds are probabilities of faults, each between 0 and 1. Where two would befall one call, the one listed first does.
type Odds struct {
	Hang, LostRequest, LostAnswer, LateRequest, LateAnswer, ErrorBefore, ErrorAfter, Slow float64
	// Delay is the longest delay; each is drawn evenly from zero up to it.
	Delay time.Duration
	// Err is the error of ErrorBefore and ErrorAfter; nil: ErrInjected.
	Err error
}

// Seeded returns the plan that draws faults from seed. What befalls a call depends on the seed and on the call's
// Method, Key, Holder and Nth, and on nothing else: calls of other keys or holders, their order, and other odds do
// not disturb it. So a fault can be taken away from a failing run while the others stay where they were.
func Seeded(seed uint64, odds Odds) Plan {
	drawn := []struct {
		kind Kind
		p    float64
	}{
		{Hang, odds.Hang}, {LostRequest, odds.LostRequest}, {LostAnswer, odds.LostAnswer}, {LateRequest, odds.LateRequest},
		{LateAnswer, odds.LateAnswer}, {ErrorBefore, odds.ErrorBefore}, {ErrorAfter, odds.ErrorAfter}, {Slow, odds.Slow},
	}
	return func(c Call) Fault {
		for _, d := range drawn {
			if draw(seed, c, uint64(d.kind)) < d.p {
				delay := time.Duration(draw(seed, c, kinds+uint64(d.kind)) * float64(odds.Delay))
				return Fault{Kind: d.kind, Delay: delay, Err: odds.Err}
			}
		}
		return Fault{}
	}
}

// draw returns a number in [0, 1) that depends on its arguments only. It is FNV-1a with a finisher, which spreads
// inputs that differ in one bit over the whole range.
func draw(seed uint64, c Call, salt uint64) float64 {
	h := uint64(14695981039346656037)
	number := func(n uint64) {
		for range 8 {
			h = (h ^ n&0xff) * 1099511628211
			n >>= 8
		}
	}
	text := func(s string) {
		number(uint64(len(s)))
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	number(seed)
	number(salt)
	number(uint64(c.Method))
	number(uint64(c.Nth))
	text(c.Key)
	text(c.Holder)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return float64((h^h>>31)>>11) / (math.MaxUint64>>11 + 1)
}

// limits returns what m declares.
func limits(m lease.Manager) lease.Limits {
	if l, ok := m.(lease.Limiter); ok {
		return l.Limits()
	}
	return lease.Limits{}
}
