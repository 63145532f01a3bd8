package simulate

import (
	"fmt"
	"time"
)

// Play plays one scenario and returns its trace. It is deterministic: the same scenario makes the same trace.
// The error names every fault of s.
func Play(s Scenario) (*Trace, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	t := &Trace{Scenario: s.complete()}
	w := &world{trace: t}
	w.start(t.Scenario)
	w.run()
	t.Digest, t.Violation = w.digest, w.check.violation
	return t, nil
}

// Campaign is a range of seeds, each of which is planned with [Plan] and played. The zero value of a field is given
// with it.
type Campaign struct {
	// Base is what all schedules have in common; its Seed and Faults are replaced by those of each seed.
	Base Scenario
	// First is the first seed.
	First uint64
	// Seeds is how many there are; 0: 10 000.
	Seeds int
	// Twice is how many seeds of a hundred are played twice, to prove that they play the same. 0: 5.
	Twice int
	// Progress, if given, is called after every few hundred schedules. Returning false ends the campaign.
	Progress func(Result) bool
}

// Result is how far a campaign has come.
type Result struct {
	Schedules int
	Events    int
	Steps     int           // of machines
	Simulated time.Duration // all nodes together
	Digest    uint64        // of all digests
	// Failover is the longest time from healing everything to a leader, over the schedules in which nobody led, stood
	// back or wound down then and no request was still held up; -1 if there was none. It is never longer than Timing in
	// docs/SAFETY.md says.
	Failover time.Duration
	// Beyond is how many schedules violated an invariant outside of the promise, as is to be expected of a store of the
	// kind Forgetful. Unfenced is in how many of them even the fence did not hold.
	Beyond, Unfenced int
	// Failed is the scenario of the first seed that violated an invariant, with the violation; nil if none did.
	Failed    *Scenario
	Violation Violation
	Coverage  Coverage
}

// Run plays the campaign until it is over or a schedule violates an invariant. The error names every fault of c.Base,
// or a seed that did not play the same way twice.
func (c Campaign) Run() (Result, error) {
	r := Result{Failover: -1}
	if err := c.Base.Check(); err != nil {
		return r, err
	}
	if c.Seeds == 0 {
		c.Seeds = 10_000
	}
	if c.Twice == 0 {
		c.Twice = 5
	}
	w := &world{}
	for i := range c.Seeds {
		seed := c.First + uint64(i)
		s := Plan(c.Base, seed)
		w.start(s)
		w.run()
		r.Schedules++
		r.Events += w.events
		r.Steps += w.steps
		r.Simulated += s.End * time.Duration(s.Nodes)
		r.Digest = r.Digest*0x9e3779b97f4a7c15 + w.digest
		r.Coverage = w.check.seen
		r.Failover = max(r.Failover, time.Duration(w.check.failover))
		switch v := w.check.violation; {
		case v.Unfenced:
			r.Unfenced++
			fallthrough
		case v.Beyond:
			r.Beyond++
		case v.Rule != "":
			r.Failed, r.Violation = &s, v
			return r, nil
		}
		if i%100 < c.Twice {
			if err := w.again(s, w.digest); err != nil {
				return r, err
			}
		}
		if c.Progress != nil && i%256 == 255 && !c.Progress(r) {
			break
		}
	}
	return r, nil
}

// again plays s once more and returns an error if that has another digest than once.
func (w *world) again(s Scenario, once uint64) error {
	w.start(s)
	if w.run(); w.digest != once {
		return fmt.Errorf("simulate: seed %d played with digest %x and then %x; something in it is not deterministic",
			s.Seed, once, w.digest)
	}
	return nil
}
