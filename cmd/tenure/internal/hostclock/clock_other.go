//go:build !linux

package hostclock

import "time"

// glance is how often an alarm compares the time of day with its instant.
const glance = 200 * time.Millisecond

// Now returns the present instant.
func Now() Instant { return Instant(time.Now().UnixNano()) }

// Alarm rings at an instant, also when the host slept through it: then within a fifth of a second after it wakes.
// Use it from one goroutine.
type Alarm struct {
	// C receives when the alarm has rung. It may receive once too often: look at the clock.
	C    <-chan struct{}
	set  chan Instant
	done chan struct{}
}

// NewAlarm returns an alarm that is not set. Close it after use.
func NewAlarm() (*Alarm, error) {
	c := make(chan struct{}, 1)
	a := &Alarm{C: c, set: make(chan Instant), done: make(chan struct{})}
	go a.listen(c)
	return a, nil
}

// Set makes the alarm ring at i, at once if i has passed, and no more at what was set before. Zero unsets it.
func (a *Alarm) Set(i Instant) { a.set <- i }

// Close frees the alarm. It does not ring any more.
func (a *Alarm) Close() {
	close(a.set)
	<-a.done
}

func (a *Alarm) listen(c chan<- struct{}) {
	defer close(a.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var at Instant
	var by time.Time
	for {
		select {
		case i, open := <-a.set:
			if !open {
				return
			}
			at, by = i, time.Now().Add(i.Sub(Now()))
		case <-timer.C:
		}
		left := min(at.Sub(Now()), time.Until(by))
		switch {
		case at == 0:
			timer.Reset(time.Hour)
			continue
		case left > 0:
			timer.Reset(min(left, glance))
			continue
		}
		at = 0
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
