package fsm

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestZeroLengthsAreDerivedFromTheTTL(t *testing.T) {
	got := Timing{TTL: 15 * time.Second}.Derive()
	want := Timing{
		TTL: 15 * time.Second, Renew: 5 * time.Second, Retry: time.Second, CallTimeout: 2500 * time.Millisecond,
		Grace: 3 * time.Second, Drift: 0.01, Drain: 30 * time.Second, Poll: 5 * time.Second, Jitter: 20,
	}
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if lead := got.Lead(); lead != 11850*time.Millisecond {
		t.Errorf("leads for %v after a renewal was sent; want 11.85s", lead)
	}
	if failover := got.CrashFailover(); failover != 22650*time.Millisecond {
		t.Errorf("a crash takes up to %v; want 15.15s + 5s + 2.5s = 22.65s", failover)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestDerivingKeepsWhatIsSetAndTwiceIsOnce(t *testing.T) {
	set := Timing{
		TTL: 60 * time.Second, Renew: time.Second, Retry: 2 * time.Second, CallTimeout: 3 * time.Second, Grace: -1, Drift: -1,
		Drain: 4 * time.Second, Poll: 5 * time.Second, Jitter: -1,
	}
	if got := set.Derive(); got != set {
		t.Errorf("%+v became %+v", set, got)
	}
	if once := (Timing{TTL: time.Second}).Derive(); once.Derive() != once {
		t.Errorf("%+v became %+v", once, once.Derive())
	}
	if lead := set.Lead(); lead != set.TTL {
		t.Errorf("without grace and drift it leads for %v of %v", lead, set.TTL)
	}
}

func TestCheckNamesTheInequalityThatFails(t *testing.T) {
	const (
		s       = time.Second
		ever    = math.MaxInt64
		tooLong = " 2562047h47m16.854775807s must be at most"
	)
	good := Timing{TTL: 15 * s}
	for _, c := range []struct {
		name string
		of   func(*Timing)
		want []string
	}{
		{"nothing set", func(t *Timing) { *t = Timing{} }, []string{"TTL 0s must be from 1ms to"}},
		{"negative TTL", func(t *Timing) { t.TTL = -s }, []string{"TTL -1s must be from 1ms"}},
		{"TTL of a microsecond", func(t *Timing) { t.TTL = time.Microsecond }, []string{"TTL 1µs must be from 1ms"}},
		{"TTL for ever", func(t *Timing) { t.TTL = ever }, []string{"TTL 2562047h47m16.854775807s must be from 1ms to 8"}},
		{"negative Renew", func(t *Timing) { t.Renew = -s }, []string{"Renew -1s must be more than 0"}},
		{"negative Retry", func(t *Timing) { t.Retry = -s }, []string{"Retry -1s must be more than 0"}},
		{"negative CallTimeout", func(t *Timing) { t.CallTimeout = -s }, []string{"CallTimeout -1s must be more than 0"}},
		{"negative Drain", func(t *Timing) { t.Drain = -s }, []string{"Drain -1s must be more than 0"}},
		{"negative Poll", func(t *Timing) { t.Poll = -s }, []string{"Poll -1s must be more than 0"}},
		{"Renew for ever", func(t *Timing) { t.Renew = ever }, []string{"Renew" + tooLong}},
		{"Retry for ever", func(t *Timing) { t.Retry = ever }, []string{"Retry" + tooLong}},
		{"calls for ever", func(t *Timing) { t.CallTimeout = ever }, []string{"CallTimeout" + tooLong}},
		{"Drain for ever", func(t *Timing) { t.Drain = ever }, []string{"Drain" + tooLong}},
		{"Poll for ever", func(t *Timing) { t.Poll = ever }, []string{"Poll" + tooLong}},
		{"clocks at half rate", func(t *Timing) { t.Drift = 0.5 }, []string{"Drift 0.5 must be less than 0.5"}},
		{"a drift that is no number", func(t *Timing) { t.Drift = math.NaN() }, []string{"Drift NaN must be less than 0.5"}},
		{"an endless drift", func(t *Timing) { t.Drift = math.Inf(1) }, []string{"Drift +Inf must be less than 0.5"}},
		{"all is jitter", func(t *Timing) { t.Jitter = 51 }, []string{"Jitter 51% must be at most 50%"}},
		{"more grace than lease", func(t *Timing) { t.Grace = 15 * s }, []string{"Grace 15s leaves no time", "= -150ms"}},
		{"grace for ever", func(t *Timing) { t.Grace = ever }, []string{"leaves no time to lead"}},
		{"one lost renewal", func(t *Timing) { t.Renew = 6 * s }, []string{
			"one lost renewal would end the term", "Renew 6s + CallTimeout 2.5s + Retry 1s + CallTimeout 2.5s = 12s", "= 11.85s",
		}},
		{"all at once", func(t *Timing) { t.Renew, t.Poll, t.Drift, t.Jitter = -s, -2*s, 0.7, 99 }, []string{
			"Renew -1s", "Poll -2s", "Drift 0.7", "Jitter 99%",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			timing := good
			c.of(&timing)
			err := timing.Check()
			if err == nil {
				t.Fatalf("%+v passes", timing)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if lines := strings.Count(err.Error(), "\n") + 1; c.name != "all at once" && len(c.want) == 1 && lines > 2 {
				t.Errorf("one fault is told as %d:\n%v", lines, err)
			}
		})
	}
}

// The last timing that passes and the first that does not, for the inequality that matters most.
func TestOneLostRenewalIsSurvivedToTheNanosecond(t *testing.T) {
	timing := Timing{TTL: 15 * time.Second, Renew: 5850 * time.Millisecond}
	if err := timing.Check(); err != nil {
		t.Error(err)
	}
	timing.Renew++
	if timing.Check() == nil {
		t.Error("a nanosecond too long passes")
	}
}

func TestDerivedTimingsPassTheCheckForAnyTTL(t *testing.T) {
	for ttl := time.Millisecond; ttl > 0 && ttl <= maxTTL; ttl += ttl/7 + 1 {
		timing := Timing{TTL: ttl}.Derive()
		if err := timing.Check(); err != nil {
			t.Fatal(err)
		}
		if timing.Lead() <= 0 || timing.Lead() >= ttl {
			t.Fatalf("TTL %v: leads for %v", ttl, timing.Lead())
		}
	}
}

// No sum of instants overflows with the longest lengths that pass, a hundred years into the life of a node.
func TestTheLongestTimingDoesNotOverflow(t *testing.T) {
	longest := Timing{TTL: maxTTL, Renew: maxTTL / 100, Drain: 2 * maxTTL, Poll: maxTTL}.Derive()
	if err := longest.Check(); err != nil {
		t.Fatal(err)
	}
	m := New(&longest, 1)
	m.failures, m.tries, m.working = maxDoublings, maxDoublings+1, true
	now := Instant(100 * 365 * 24 * time.Hour)
	m.failed, m.left = true, Finished
	for name, at := range map[string]Instant{
		"the rest":       now.Add(m.rest()),
		"the back-off":   now.Add(m.backOff(true)),
		"the deadline":   now.Add(longest.Lead()),
		"the drain":      now.Add(longest.Drain),
		"the release":    now.Add(longest.releaseLimit()),
		"handed over":    now.Add(2 * longest.TTL),
		"a crash":        now.Add(longest.CrashFailover()),
		"a long refusal": now.Add(m.wait(math.MaxInt64)),
	} {
		if at <= now {
			t.Errorf("%s ends %v before it begins", name, now.Sub(at))
		}
	}
}

func TestJitterShortensByNoMoreThanItsPercentAndVaries(t *testing.T) {
	timing := Timing{TTL: 15 * time.Second}.Derive()
	m := New(&timing, 42)
	const whole = time.Second
	var least, most time.Duration = whole, 0
	var sum time.Duration
	for range 10_000 {
		d := m.jitter(whole)
		least, most, sum = min(least, d), max(most, d), sum+d
	}
	if least < 800*time.Millisecond || most > whole {
		t.Errorf("jitter of 20%% makes %v to %v of %v", least, most, whole)
	}
	if mean := sum / 10_000; mean < 890*time.Millisecond || mean > 910*time.Millisecond || least > 801*time.Millisecond {
		t.Errorf("jitter is uneven: mean %v, least %v", mean, least)
	}
	other := New(&timing, 43)
	if m.jitter(whole) == other.jitter(whole) {
		t.Error("two seeds jitter alike")
	}
	timing.Jitter = -1
	if d := m.jitter(whole); d != whole {
		t.Errorf("without jitter, %v became %v", whole, d)
	}
}
