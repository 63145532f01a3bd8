package hostclock_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newAlarm(t *testing.T) *hostclock.Alarm {
	t.Helper()
	a, err := hostclock.NewAlarm()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func rings(a *hostclock.Alarm, within time.Duration) bool {
	select {
	case <-a.C:
		return true
	case <-time.After(within):
		return false
	}
}

func TestTheClockGoesAtTheRateOfTheMonotonicClock(t *testing.T) {
	from, start := hostclock.Now(), time.Now()
	time.Sleep(100 * time.Millisecond)
	got, want := hostclock.Now().Sub(from), time.Since(start)
	if d := got - want; d < -20*time.Millisecond || d > 20*time.Millisecond {
		t.Errorf("%v passed, the monotonic clock says %v", got, want)
	}
}

func TestAnAlarmRingsAtItsInstantAndNotBefore(t *testing.T) {
	a := newAlarm(t)
	at := hostclock.Now().Add(100 * time.Millisecond)
	a.Set(at)
	if !rings(a, 5*time.Second) {
		t.Fatal("it did not ring")
	}
	if !at.Passed() {
		t.Errorf("it rang %v too early", at.Sub(hostclock.Now()))
	}
	if rings(a, 50*time.Millisecond) {
		t.Error("it rang twice")
	}
}

func TestAnAlarmInThePastRingsAtOnce(t *testing.T) {
	a := newAlarm(t)
	for _, at := range []hostclock.Instant{1, hostclock.Now().Add(-time.Hour), hostclock.Now()} {
		a.Set(at)
		if !rings(a, 5*time.Second) {
			t.Errorf("an alarm at %d did not ring", at)
		}
	}
}

func TestAnAlarmCanBeMovedAndUnset(t *testing.T) {
	a := newAlarm(t)
	a.Set(hostclock.Now().Add(50 * time.Millisecond))
	a.Set(hostclock.Now().Add(time.Hour))
	if rings(a, 150*time.Millisecond) {
		t.Error("it rang at the instant it was moved from")
	}
	a.Set(hostclock.Now().Add(50 * time.Millisecond))
	a.Set(0)
	if rings(a, 150*time.Millisecond) {
		t.Error("it rang although it was unset")
	}
}

func ExampleEarliest() {
	fmt.Println(hostclock.Earliest(0, 30, 20), hostclock.Earliest(0, 0), hostclock.Instant(20).Add(5).Sub(5))
	// Output: 20 0 20ns
}
