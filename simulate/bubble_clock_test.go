package simulate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// clocked has one node's work play with its clock for two minutes.
func clocked(t *testing.T, script string, play func(ctx context.Context, w *World, t *actor.Tenure)) {
	t.Helper()
	played := false
	w := bubble(t, Cluster{Nodes: 1}, 2, func(w *World) {
		w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
			if !played {
				play(ctx, w, t)
			}
			played = true
			<-ctx.Done()
			return nil
		})
		if script != "" {
			tell(t, w, script)
		}
	})
	mustPass(t, w)
	if !played {
		t.Error("nobody ever led")
	}
}

// about reports whether d is want, but for what clocks of hosts differ.
func about(d, want time.Duration) bool { return (d - want).Abs() <= want/100 }

func TestTheClockOfANodeDoesWhatClocksDo(t *testing.T) {
	clocked(t, "", func(ctx context.Context, w *World, tenure *actor.Tenure) {
		c := w.ClockOf(tenure)
		if c == w.Clock() {
			t.Error("a node has the true time")
		}
		start, began := w.Now(), c.Now()
		same := func(what string, want time.Duration) {
			t.Helper()
			if !about(w.Now()-start, want) || !about(c.Since(began), want) || c.Until(began) != -c.Since(began) {
				t.Errorf("%s: after %v, on its own clock %v; expected %v", what, w.Now()-start, c.Since(began), want)
			}
		}
		c.Sleep(time.Second)
		same("Sleep", time.Second)
		<-c.After(time.Second)
		same("After", 2*time.Second)
		stopped := c.Timer(time.Second)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop does not say whether it stopped a timer")
		}
		<-c.Timer(time.Second).C
		same("Timer", 3*time.Second)
		select {
		case <-stopped.C:
			t.Error("a timer fired although it was stopped")
		default:
		}
		limited, cancel := c.WithTimeout(ctx, time.Second)
		<-limited.Done()
		same("WithTimeout", 4*time.Second)
		if !errors.Is(limited.Err(), context.DeadlineExceeded) {
			t.Errorf("it ended with %v", limited.Err())
		}
		cancel()
		limited, cancel = c.WithDeadline(ctx, c.Now().Add(time.Hour))
		if at, ok := limited.Deadline(); !ok || !about(c.Until(at), time.Hour) || limited.Err() != nil {
			t.Errorf("deadline %v in %v, %v", ok, c.Until(at), limited.Err())
		}
		cancel()
		if !errors.Is(limited.Err(), context.Canceled) {
			t.Errorf("it was cancelled with %v", limited.Err())
		}
		w.Clock().Sleep(time.Second)
		same("Clock", 5*time.Second)
	})
}

func TestAPauseHoldsTheClockOfTheNodeAndNotTheTrueOne(t *testing.T) {
	clocked(t, "pause n0 at 10s for 5s", func(ctx context.Context, w *World, tenure *actor.Tenure) {
		held := make(chan time.Duration)
		go func() {
			c := w.ClockOf(tenure)
			c.Sleep(12*time.Second - w.Now()) // within the pause
			held <- w.Now()
		}()
		w.Clock().Sleep(12*time.Second - w.Now())
		if w.Now() != 12*time.Second {
			t.Errorf("the true clock slept until %v", w.Now())
		}
		if at := <-held; at != 15*time.Second {
			t.Errorf("the timer of a process that stands still until 15s fired at %v", at)
		}
	})
}

func TestAClockThatRunsFastShortensASleep(t *testing.T) {
	clocked(t, "drift n0 at 5s for 60s by 5000ppm", func(ctx context.Context, w *World, tenure *actor.Tenure) {
		time.Sleep(10*time.Second - w.Now())
		w.ClockOf(tenure).Sleep(10050 * time.Millisecond)
		if w.Now() < 19999*time.Millisecond || w.Now() > 20001*time.Millisecond {
			t.Errorf("10.05 s by a clock that is 0.5 %% fast took until %v", w.Now())
		}
	})
}
