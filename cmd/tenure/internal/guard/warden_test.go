//go:build unix

package guard

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
)

func TestTheGuardianNeverSleepsPastADeadline(t *testing.T) {
	soon, later := hostclock.Now().Add(time.Hour), hostclock.Now().Add(2*time.Hour)
	for name, c := range map[string]struct {
		w    warden
		want hostclock.Instant
	}{
		"while all is well":                    {warden{deadline: Deadline{Soft: soon, Hard: later}}, soon},
		"without a soft deadline":              {warden{deadline: Deadline{Hard: later}}, later},
		"once the group was asked":             {warden{asked: true, deadline: Deadline{Soft: 1, Hard: soon}}, soon},
		"while the grace lasts":                {warden{asked: true, kill: soon, deadline: Deadline{Hard: later}}, soon},
		"once the command has ended":           {warden{exited: true, deadline: Deadline{Soft: 5, Hard: later}}, 5},
		"with something left behind":           {warden{exited: true, asked: true, deadline: Deadline{Hard: 7}}, 7},
		"with something left behind, in grace": {warden{exited: true, asked: true, kill: 6, deadline: Deadline{Hard: 7}}, 6},
		"with a grace that outlasts the lease": {warden{asked: true, kill: later, deadline: Deadline{Hard: soon}}, soon},
		"with both": {
			warden{exited: true, asked: true, kill: later, deadline: Deadline{Hard: 8}}, 8,
		},
	} {
		if got := c.w.next(); got != c.want {
			t.Errorf("%s: it looks again at %d, want %d", name, got, c.want)
		}
	}
}

func TestTheGuardianTiresOfWhatCannotBeKilled(t *testing.T) {
	w := warden{killing: true, exited: true, deadline: Deadline{Hard: 1}}
	var last time.Duration
	for range 100 {
		before := hostclock.Now()
		pause := w.next().Sub(before)
		if pause < firstPause || pause > lastPause+time.Second {
			t.Fatalf("it pauses for %v", pause)
		}
		last = w.pause
	}
	if last != lastPause {
		t.Errorf("after many looks it pauses for %v, want %v", last, lastPause)
	}
}
