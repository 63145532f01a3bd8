package actor

import (
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// lengths returns an Election.TTLFunc that returns each length in turn, and then the last one for ever, and counts.
func lengths(all ...time.Duration) (next func() time.Duration, asked *int) {
	asked = new(int)
	return func() time.Duration {
		*asked++
		return all[min(*asked, len(all))-1]
	}, asked
}

func TestTTLFuncIsAskedBeforeEachAcquisition(t *testing.T) {
	inWorld(t, func(w *world) {
		next, asked := lengths(10*time.Second, 20*time.Second, 30*time.Second, 40*time.Second)
		n := w.node("a", nil)
		c := n.campaign(Election{TTLFunc: next})
		w.same("asked", *asked, 1)
		_ = c.Resign()
		w.pass(10 * time.Second) // by itself
		w.state(c, fsm.Leader)
		w.same("asked", *asked, 2)
		_ = c.Pause()
		w.pass(time.Second)
		_ = c.Resume() // on request
		w.pass(0)
		w.state(c, fsm.Leader)
		w.same("asked", *asked, 3)
		w.same("time left", c.Status().Remaining, 30*time.Second*99/100-6*time.Second)
		_ = c.Withdraw()
		w.pass(0)
		var ttls []time.Duration
		for _, x := range n.tap.calls {
			if x.op == fsm.Acquire {
				ttls = append(ttls, x.ttl)
			}
		}
		w.same("asked for", ttls, []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second})
	})
}

func TestTTLFuncIsAskedBeforeAnAcquisitionOnNewsToo(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.node("a", nil).campaign(Election{})
		next, asked := lengths(10*time.Second, 20*time.Second)
		d := w.node("b", nil).campaign(Election{TTLFunc: next})
		w.same("asked", *asked, 1)
		_ = c.Withdraw() // the watch of b shows that the lease is free
		w.pass(0)
		w.state(d, fsm.Leader)
		w.same("asked", *asked, 2)
		w.same("time left", d.Status().Remaining, 20*time.Second*99/100-4*time.Second)
	})
}

func TestTTLFuncIsNotAskedWhileALeaseIsHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		next, asked := lengths(10*time.Second, 20*time.Second)
		n := w.node("a", nil)
		n.campaign(Election{TTLFunc: next})
		w.pass(time.Minute)
		w.same("asked", *asked, 1)
		for _, x := range n.tap.calls {
			w.same("length", x.ttl, 10*time.Second)
		}
	})
}

func TestALengthThatCannotBeUsedIsLoggedOnceAndTheOneBeforeUsed(t *testing.T) {
	for _, bad := range []time.Duration{0, -time.Second, time.Nanosecond, 100 * 365 * 24 * time.Hour} {
		t.Run(bad.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.node("other", nil).campaign(Election{})
				next, asked := lengths(bad)
				var log lines
				n := w.node("a", nil, func(c *Config) { c.Logger = log.logger() })
				n.campaign(Election{TTLFunc: next, TTL: 12 * time.Second})
				w.pass(time.Minute)
				if *asked < 5 {
					w.Errorf("asked %d times", *asked)
				}
				w.same("logged", log.count("TTLFunc returned a length that cannot be used"), 1)
				for _, x := range n.tap.calls {
					w.same("length", x.ttl, 12*time.Second)
				}
			})
		})
	}
}

func TestMeanTTLIsTheMeanOfTheIntervals(t *testing.T) {
	for _, test := range []struct{ renew, poll, want time.Duration }{
		{2 * time.Second, 5 * time.Second, 3500 * time.Millisecond},
		{time.Second, time.Minute, 30500 * time.Millisecond},
		{1, 1<<63 - 1, 1 << 62},
	} {
		if got := MeanTTL(test.renew, test.poll); got != test.want {
			t.Errorf("MeanTTL(%v, %v) is %v, want %v", test.renew, test.poll, got, test.want)
		}
	}
	for _, test := range [][2]time.Duration{{0, time.Second}, {-1, time.Second}, {time.Second, time.Second}, {2, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("MeanTTL(%v, %v) does not panic", test[0], test[1])
				}
			}()
			MeanTTL(test[0], test[1])
		}()
	}
}
