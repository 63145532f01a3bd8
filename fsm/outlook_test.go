package fsm

import "time"

// outlook judges what lies ahead of a world if its host does all it owes: it wakes the machine in time, and the store
// answers at once.
type outlook struct {
	lead, end time.Duration // the longest it took to lead, and to end
	busy      int           // the most steps made at one instant
}

// check holds a world to four duties: a tick before its time does nothing; the machine comes to rest at every instant,
// however fast it is answered; it leads before long if nothing speaks against it; and it ends when it is stopped.
func (o *outlook) check(w world, now Instant) *fault {
	if err := tooSoon(w, now); err != nil {
		return err
	}
	for answer := Granted; answer <= Unknown; answer++ {
		for outcome := Returned; outcome <= Over+1; outcome++ { // Over+1: the work does not return
			if err := o.comesToRest(w, now, answer, outcome); err != nil {
				return err
			}
		}
	}
	return o.comesToLead(w, now)
}

// tooSoon ticks before Wake.
func tooSoon(w world, now Instant) *fault {
	m := w.m
	if w.op != NoCall && m.Wake() > w.limit && w.limit > now {
		return broken("R12", "a call without an answer is awaited for ever: wake in %v", m.Wake().Sub(now))
	}
	if m.State() == Leader && m.Wake() > w.until {
		return broken("R2", "nobody is woken at the deadline")
	}
	if m.Wake() <= now {
		for range 3 {
			m, _ = m.Step(Input{Now: now})
			if m.Wake() > now {
				return nil
			}
		}
		return broken("wake", "three ticks at one instant, and still not later")
	}
	if next, c := m.Step(Input{Now: now}); next != m || c != (Call{}) {
		return broken("wake", "a tick before its time does something: %+v", next)
	}
	return nil
}

// comesToRest answers every call at once in the same way, and the work returns at once in the same way, all at one
// instant. There must be an end to that.
func (o *outlook) comesToRest(w world, now Instant, answer Kind, outcome Outcome) *fault {
	for n := range maxSteps {
		o.busy = max(o.busy, n)
		in := Input{Now: now}
		switch {
		case w.op != NoCall:
			in = w.answer(answer, now)
		case w.work && outcome <= Over:
			in.Kind, in.Outcome = Drained, outcome
		case w.m.Wake() > now:
			return nil
		}
		if _, err := w.step(in); err != nil {
			return err
		}
	}
	return broken("rest", "no rest when every call is %v at once and the work returns %d", answer, outcome)
}

// answer returns the answer to the call in flight.
func (w *world) answer(k Kind, now Instant) Input {
	in := Input{Kind: k, Op: w.op, Call: w.owed, Now: now}
	if k == Granted && w.op == Acquire {
		in.Term = max(w.m.Term(), w.heard) + 1
	}
	return in
}

// comesToLead lets work return when it is told to, grants everything at once, and waits for a leader, or for the end of
// a machine that is stopped.
func (o *outlook) comesToLead(w world, now Instant) *fault {
	t, began := w.m.Timing(), now
	most := max(16*t.Poll+t.Retry, 2*t.TTL, 16*t.Retry, 4*t.Poll) + 2*t.CallTimeout
	for range maxSteps {
		took := now.Sub(began)
		switch {
		case w.m.State() == Leader && !w.m.Stopped() && took <= most:
			o.lead = max(o.lead, took)
			return nil
		case w.m.Done() && took <= 2*t.CallTimeout:
			o.end = max(o.end, took)
			return nil
		case w.m.Paused() && !w.m.Stopped() && w.m.State() == Follower && w.m.Wake() == Never:
			return nil
		case w.m.Wake() == Never && w.op == NoCall && !w.work:
			return broken("live", "nothing will wake a %v", w.m.State())
		}
		in := Input{Now: now}
		switch {
		case w.op != NoCall:
			in = w.answer(Granted, now)
		case w.work:
			in.Kind = Drained
		default:
			now = max(now, w.m.Wake())
			in.Now = now
		}
		if _, err := w.step(in); err != nil {
			return err
		}
	}
	return broken("live", "after %v neither leader nor done: %v", now.Sub(began), w.m.State())
}
