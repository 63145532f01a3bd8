package fsm

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// A world is one machine and all that its host knows from the outside: which work runs, which answer is owed, when that
// call was made, what the rules make of the answers so far. Nothing in it is read from the machine's fields, so that a
// machine that is wrong cannot make its judge agree. It is a plain value, like the machine.
type world struct {
	m     Machine
	limit Instant // the call owed an answer is given up at this instant
	sent  Instant // when it was made
	until Instant // by R1, the end of leadership; of the term that was last won
	rest  Instant // no standing before, but for a reason to stand sooner
	by    Instant // Releasing: the end of the drain while the work runs, then of the attempts to release
	pace  Instant // no call before, after one without a usable answer
	owed  uint64  // number of the call that is owed an answer
	calls uint64  // numbers used so far
	term  lease.Term
	heard lease.Term // the greatest term heard of, as not ours, since the Acquire in flight was made

	op       Op // of the call that is owed an answer, or NoCall
	work     bool
	draining bool // of its own will: the lease is kept until the work has returned
	lost     bool // the store has said that the lease of term is not ours
	doubt    bool // an Acquire of unknown outcome is not settled
	moved    bool // another has been seen leading since HandOver
	free     bool // Acquiring: the latest news of the greatest term, come since the call was made, is a vacancy
	left     Reason
	paused   bool
	stopped  bool
}

func newWorld(t *Timing, seed uint64) world { return world{m: New(t, seed)} }

// A fault is a rule that a Step has broken.
type fault struct{ rule, what string }

func (f *fault) Error() string { return f.rule + ": " + f.what }

func broken(rule, format string, args ...any) *fault {
	return &fault{rule, fmt.Sprintf(format, args...)}
}

// lead is Timing.Lead, worked out anew.
func lead(t *Timing) time.Duration {
	return t.TTL - time.Duration(float64(t.TTL)*max(t.Drift, 0)) - grace(t)
}

func grace(t *Timing) time.Duration { return max(t.Grace, 0) }

// least is the shortest that jitter makes of d.
func least(t *Timing, d time.Duration) time.Duration {
	return d - d/100*time.Duration(max(t.Jitter, 0))
}

// fact is what an Input means in a world: which answer it brings, if it is one that is owed.
type fact struct {
	Input
	answers Op // of the owed call that this settles, NoCall if it settles none
	unknown bool
	expired bool // the leader's time has run out before it
}

func (w *world) read(in Input) fact {
	f := fact{Input: in, expired: w.m.State() == Leader && in.Now >= w.until}
	switch in.Kind {
	case Granted, Refused, Unknown:
		if w.op != NoCall && in.Call == w.owed {
			f.answers = w.op
		}
		f.unknown = in.Kind == Unknown && f.answers != NoCall
	case Tick:
		if w.op != NoCall && in.Now >= w.limit {
			f.answers, f.unknown = w.op, true
		}
	}
	return f
}

// stale reports whether f is an answer that nobody waits for.
func (f *fact) stale() bool { return f.Kind >= Granted && f.Kind <= Unknown && f.answers == NoCall }

// beaten reports whether f says that the lease of term is not, or no longer, ours (R3).
func (w *world) beaten(f *fact) bool {
	switch f.Kind {
	case Refused:
		return f.answers == Renew || f.answers == Release || f.answers == Acquire && w.m.State() == Releasing
	case Seen:
		return !w.doubt && (f.Term > w.term || f.Term == w.term && f.Term > 0 && f.Who != Us)
	}
	return false
}

// step hands in to the machine and judges what it does. The world is of no more use after a fault.
func (w *world) step(in Input) (Call, *fault) {
	was, f := *w, w.read(in)
	next, c := w.m.Step(in)
	w.m = next
	w.learn(&was, &f)
	err := judge(&was, w, &f, c)
	if err == nil {
		w.called(&f, c)
		err = judgeAwaited(w)
	}
	return c, err
}

func judge(was, w *world, f *fact, c Call) (err *fault) {
	if err = judgeMove(was, w, f); err != nil {
		return err
	}
	if err = judgeLeader(was, w, f, c); err != nil {
		return err
	}
	if err = judgeDeadline(was, w, f); err != nil {
		return err
	}
	if err = judgeReleasing(was, w, f, c); err != nil {
		return err
	}
	if err = judgeFollower(was, w, f); err != nil {
		return err
	}
	if err = judgeStale(was, w, f, c); err != nil {
		return err
	}
	if err = judgeCall(was, w, f, c); err != nil {
		return err
	}
	return judgeHost(w, f)
}

// learn brings the host's knowledge up to date with f and with the move that the machine made.
func (w *world) learn(was *world, f *fact) {
	t := was.m.Timing()
	if f.Kind == Pause || f.Kind == Resume {
		w.paused = f.Kind == Pause
	}
	w.stopped = w.stopped || f.Kind == Stop
	w.lost = w.lost || was.beaten(f)
	if f.answers != NoCall {
		w.op = NoCall
	}
	if f.unknown {
		w.pace = f.Now.Add(least(t, t.Retry))
		w.doubt = w.doubt || f.answers == Acquire
	}
	if f.answers == Acquire && !f.unknown {
		w.doubt = false
	}
	if f.Kind == Granted && f.answers == Acquire {
		w.term, w.lost, w.until = f.Term, false, w.sent.Add(lead(t))
	}
	if f.Kind == Granted && f.answers == Renew {
		w.until = max(w.until, w.sent.Add(lead(t)))
	}
	if f.Kind == Seen && f.Who != Us || f.stale() && f.Kind == Granted && f.Op == Acquire {
		w.heard = max(w.heard, f.Term)
	}
	if f.Kind == Seen && f.Who != Us && f.Term >= was.m.Term() {
		w.free = f.Who == Nobody
	}
	if f.Kind == Seen && (f.Who == Other && f.Term >= was.m.Term() || f.Who == Nobody && f.Term > was.m.Term()) {
		w.moved = true
	}
	if f.Kind == Seen && was.m.State() == Releasing && w.left == HandedOver && f.Who != Us && f.Term > was.term {
		w.left = Lost // another has led by now
	}
	if f.Kind == Drained && was.work {
		w.work, w.draining, w.by, w.pace = false, false, f.Now.Add(2*t.CallTimeout), 0
		w.stopped = w.stopped || f.Outcome == Over
	}
	w.entered(was, f)
	if w.draining && !f.stale() && (w.lost || f.Now >= w.until) { // now it is urgent
		w.draining, w.by = false, min(w.by, f.Now.Add(grace(t)))
	}
}

// entered follows the machine into the state that it moved to.
func (w *world) entered(was *world, f *fact) {
	t, to := w.m.Timing(), w.m.State()
	if to == was.m.State() {
		return
	}
	switch to {
	case Leader:
		w.work = true
	case Releasing:
		w.left, w.by = w.m.Reason(), f.Now.Add(2*t.CallTimeout)
		w.lost = w.lost && was.m.State() == Leader
		switch w.left {
		case Paused, Stopped, Resigned, HandedOver:
			w.draining = w.work
		}
		if w.work {
			w.by = f.Now.Add(grace(t))
		} else {
			w.pace = 0
		}
		if w.draining {
			w.by = f.Now.Add(t.Drain)
		}
	case Follower:
		w.moved = false
		switch w.m.Reason() {
		case Held:
			w.rest, w.left = 0, None
		case Failed:
			w.left = None
			w.rest = f.Now.Add(least(t, t.Retry))
			if f.Permanent {
				w.rest = f.Now.Add(least(t, 4*t.Poll))
			}
		default:
			w.doubt = false // settled, or given up after the time for it
			switch w.left {
			case Paused, Stopped:
				w.rest = 0
			case HandedOver:
				w.rest = f.Now.Add(2 * t.TTL)
			case Finished, Resigned:
				w.rest = f.Now.Add(t.Poll)
			default:
				w.rest = f.Now.Add(least(t, t.Retry))
			}
		}
	}
}

// called takes in the call that the machine made.
func (w *world) called(f *fact, c Call) {
	if c.Number == 0 {
		return
	}
	w.op, w.owed, w.calls = c.Op, c.Number, c.Number
	w.sent, w.limit = f.Now, f.Now.Add(c.Timeout)
	if c.Op == Acquire {
		w.heard, w.free = 0, false
	}
}

// wishes are the reasons for which Leader is left because of one kind of input.
var wishes = [kinds]Reason{
	Drained: Finished, Resign: Resigned, HandOver: HandedOver, Pause: Paused, Stop: Stopped,
}

func judgeMove(was, w *world, f *fact) *fault {
	from, to, why := was.m.State(), w.m.State(), w.m.Reason()
	if from == to && was.m.Reason() == why {
		return nil
	}
	if !slices.Contains(moves[:], Move{from, why, to}) {
		return broken("table", "%v: %v -> %v (%v) is not in the table", f.Kind, from, to, why)
	}
	return nil
}

// judgeLeader says when a leader ends, and why (R2, R3, R7, R12).
func judgeLeader(was, w *world, f *fact, c Call) *fault {
	from, to, why := was.m.State(), w.m.State(), w.m.Reason()
	if to == Leader && f.Now >= w.until {
		return broken("R2", "%v leaves a leader whose time has run out", f.Kind)
	}
	if to == Leader && w.op == NoCall && c.Op == NoCall && w.m.Wake() > f.Now.Add(w.m.Timing().Renew) {
		return broken("R12", "%v: the next renewal is not before %v", f.Kind, w.m.Wake().Sub(f.Now))
	}
	if from != Leader {
		return nil
	}
	wish := wishes[f.Kind]
	switch {
	case f.expired:
		if to != Releasing || why != Expired {
			return broken("R2", "%v after the deadline: %v (%v)", f.Kind, to, why)
		}
	case was.beaten(f):
		if to != Releasing || why != Lost {
			return broken("R3", "%v of term %d leaves %v (%v), though our term %d is over", f.Kind, f.Term, to, why, was.term)
		}
	case wish != None:
		if to != Releasing || why != wish {
			return broken("R13", "%v: %v (%v)", f.Kind, to, why)
		}
	case f.unknown && to != Leader:
		return broken("R12", "one unusable answer ends the term: %v", why)
	case to != Leader:
		return broken("R3", "%v of term %d ends our term %d: %v", f.Kind, f.Term, was.term, why)
	case f.Kind == Seen && (f.Term > 0 || f.Who == Us):
		if m, _ := was.m.Step(Input{Kind: Resume, Now: f.Now}); w.m != m { // nothing to resume: only time has passed
			return broken("R3", "stale news of term %d changes the machine", f.Term)
		}
	}
	return nil
}

// judgeDeadline says what may move the deadline, and where to (R1, R7).
func judgeDeadline(was, w *world, f *fact) *fault {
	t, led := w.m.Timing(), was.m.State()
	if w.m.State() != Leader && (w.m.State() != Releasing || !w.work) {
		return nil
	}
	got := w.m.Until()
	extends := f.Kind == Granted && (f.answers == Acquire && led == Acquiring || f.answers == Renew)
	switch {
	case got == w.until:
	case !extends && f.unknown:
		return broken("R7", "an unusable answer moves the deadline by %v", got.Sub(w.until))
	case !extends:
		return broken("R1", "%v moves the deadline by %v", f.Kind, got.Sub(w.until))
	case led >= Leader && got < was.until:
		return broken("R1", "a renewal takes %v from the term", was.until.Sub(got))
	default:
		return broken("R1", "a lease sent for %v ago ends in %v, %v from when it was sent; %v is right",
			f.Now.Sub(was.sent), got.Sub(f.Now), got.Sub(was.sent), lead(t))
	}
	if w.m.Leading(w.until) || w.m.Leading(f.Now) != (w.m.State() == Leader) {
		return broken("R2", "Leading disagrees with the deadline")
	}
	return nil
}

// judgeReleasing says what happens between the end of a leader and the next follower (R7, R8, R9).
func judgeReleasing(was, w *world, f *fact, c Call) *fault {
	from, to, why := was.m.State(), w.m.State(), w.m.Reason()
	switch {
	case from == Releasing && to != Releasing && w.work:
		return broken("R9", "%v while the work runs", why)
	case c.Op == Release && w.work && c.Term >= w.term:
		return broken("R8", "release of term %d while the work runs under term %d", c.Term, w.term)
	case c.Op == Renew && to == Releasing && (!w.draining || f.Now >= w.by || f.Now >= w.until || w.lost):
		return broken("R8", "%v: renewal after %v (drain limit %v ago)", f.Kind, w.left, f.Now.Sub(w.by))
	case to != Releasing:
	case w.draining && !w.lost && f.Now < w.by && f.Now < w.until && w.op == NoCall && c.Op == NoCall &&
		w.m.Wake() > min(w.until, f.Now.Add(w.m.Timing().Renew)):
		return broken("R8", "%v: the lease is not kept alive while the work winds down", f.Kind)
	case !w.work && w.op == NoCall && c.Op == NoCall && w.m.Wake() > f.Now.Add(w.m.Timing().Retry):
		return broken("R8", "%v: the work has returned, and the release is put off for %v", f.Kind, w.m.Wake().Sub(f.Now))
	case from == Releasing && w.work && !f.stale() && w.m.Overran() != (f.Now >= w.by):
		return broken("R8", "%v: overrun %v, the work has another %v", f.Kind, w.m.Overran(), w.by.Sub(f.Now))
	}
	if from != Releasing || to != Follower {
		return nil
	}
	switch {
	case why == Released && (f.Kind != Granted || f.answers != Release):
		return broken("R8", "released without the store's word")
	case why == Gone && !w.lost:
		return broken("R8", "%v: the lease is taken for gone", f.Kind)
	case why == Abandoned && f.Now < w.by:
		return broken("R7", "given up %v too soon", w.by.Sub(f.Now))
	}
	return nil
}

// within reports whether d is a proper time to follow a holder whose lease is known to last for remaining.
func within(d time.Duration, t *Timing, remaining time.Duration) bool {
	if remaining < 0 {
		remaining = t.Poll
	}
	shortest := t.TTL / 1000
	return d >= min(max(remaining, shortest), least(t, t.Poll)) && d <= min(max(remaining, shortest), t.Poll)
}

// judgeFollower says when to stand and when not (R3, R7, R9).
func judgeFollower(was, w *world, f *fact) *fault {
	from, to := was.m.State(), w.m.State()
	stands := from == Follower && to == Acquiring
	allowed := !w.stopped && !w.paused || w.doubt
	free := f.Kind == Seen && f.Who == Nobody && f.Term >= was.m.Term() && allowed &&
		(was.m.Reason() == Held || was.m.Reason() == None)
	held := from == Acquiring && w.m.Reason() == Held && allowed
	over := was.free && f.Term <= was.m.Term() // refused for a tenure that was seen to have ended
	switch {
	case stands && !allowed:
		return broken("R9", "%v: stands though paused or stopped", f.Kind)
	case stands && w.work:
		return broken("R9", "%v: stands while the work runs", f.Kind)
	case stands && f.Now < was.rest && f.Kind != Resume && f.Kind != Stop && !(was.left == HandedOver && w.moved):
		return broken("rest", "%v: stands %v too soon after %v, %v", f.Kind, was.rest.Sub(f.Now), was.m.Reason(), was.left)
	case held && over && w.m.Wake() > f.Now:
		return broken("R3", "held under term %d, which was seen to have ended: stands in %v", f.Term, w.m.Wake().Sub(f.Now))
	case held && !over && !within(w.m.Wake().Sub(f.Now), w.m.Timing(), f.Remaining):
		return broken("rest", "held for another %v: stands in %v", f.Remaining, w.m.Wake().Sub(f.Now))
	case from == Follower && to == Follower && f.Kind == Seen && was.left != HandedOver &&
		was.m.Wake() > f.Now && w.m.Wake() > was.m.Wake():
		return broken("rest", "news puts off the next attempt by %v", w.m.Wake().Sub(was.m.Wake()))
	case from == Follower && free && !stands:
		return broken("R3", "the lease is known to be free and nobody stands")
	case stands && w.m.Reason() == Vacant && !(f.Kind == Seen && f.Who == Nobody):
		return broken("R3", "%v is taken for a vacancy", f.Kind)
	case from != Leader && to == Leader && was.work:
		return broken("R9", "leads while the old work runs")
	case from != Leader && to == Leader && (w.paused || w.stopped):
		return broken("R9", "leads though paused or stopped")
	case from != Leader && to == Leader && (f.Kind != Granted || f.answers != Acquire):
		return broken("R7", "%v makes a leader", f.Kind)
	case from != Leader && to == Leader && f.Term <= was.heard:
		return broken("R3", "leads under term %d, though term %d was heard of meanwhile", f.Term, was.heard)
	case from == Acquiring && to == Follower && f.Kind != Refused && !f.unknown:
		return broken("R10", "%v ends an attempt", f.Kind)
	case from == Acquiring && to == Acquiring && f.answers != NoCall:
		return broken("R7", "%v leaves the attempt as it is", f.Kind)
	case from == Acquiring && f.Kind == Granted && f.answers == Acquire && to == Follower:
		return broken("R7", "a grant is forgotten")
	case w.m.Done() && w.doubt:
		return broken("R7", "done in doubt")
	case w.m.Done() && (w.work || w.op != NoCall):
		return broken("R9", "done while work or a call is going on")
	case was.m.Done() && !w.m.Done():
		return broken("R9", "%v undoes the end", f.Kind)
	}
	return nil
}

// judgeStale says that an answer nobody waits for changes nothing, but a late grant is handed back (R5, R10).
func judgeStale(was, w *world, f *fact, c Call) *fault {
	if !f.stale() {
		return nil
	}
	grant := f.Kind == Granted && f.Op == Acquire
	want := was.m
	if f.expired {
		want.leave(Expired, f.Now)
	}
	if grant && was.m.State() < Leader {
		want.term = max(want.term, f.Term)
	}
	if w.m != want {
		return broken("R10", "a stale %v of %v changes the machine: %+v, then %+v", f.Kind, f.Op, want, w.m)
	}
	ours := was.m.State() >= Leader && !was.doubt && f.Term == was.term
	kept := was.work && f.Term > was.term // it must wait for the work to return, like our own (R8)
	back := c == Call{Op: Release, Term: f.Term, Timeout: w.m.Timing().CallTimeout}
	switch {
	case grant && !ours && !kept && !back:
		return broken("R10", "a late grant of term %d is not handed back", f.Term)
	case grant && ours && c.Op != NoCall:
		return broken("R10", "a grant told twice hands back the lease in use")
	case (!grant || ours || kept) && c != Call{}:
		return broken("R10", "a stale %v brings about %v", f.Kind, c.Op)
	}
	return nil
}

// judgeCall says which call may be made when, and how long it may take (R5, R12).
func judgeCall(was, w *world, f *fact, c Call) *fault {
	if c == (Call{}) {
		return nil
	}
	t, s := w.m.Timing(), w.m.State()
	settles := f.answers != NoCall
	switch {
	case c.Timeout <= 0 || c.Timeout > t.CallTimeout:
		return broken("call", "%v may take %v", c.Op, c.Timeout)
	case c.Op == Renew && f.Now.Add(c.Timeout) > w.until:
		return broken("R2", "a renewal may take longer than the lease lasts")
	case c.Number == 0 && (c.Op != Release || !f.stale()):
		return broken("R10", "%v asks for %v without a number", f.Kind, c.Op)
	case c.Number == 0:
		return nil
	case c.Number <= was.calls:
		return broken("R10", "the number %d is used again", c.Number)
	case was.op != NoCall && !settles && f.Now < was.limit:
		return broken("R10", "%v while %v is awaited", c.Op, was.op)
	case c.Op == Acquire && (s != Acquiring && (s != Releasing || !w.doubt) || w.work):
		return broken("R9", "acquire as %v", s)
	case c.Op != Acquire && c.Term != w.term:
		return broken("R5", "%v of term %d, ours is %d", c.Op, c.Term, w.term)
	case c.Op == Renew && (s != Leader && s != Releasing || !w.work):
		return broken("R8", "renewal as %v", s)
	case c.Op == Release && (s != Releasing || w.work || w.doubt):
		return broken("R8", "release as %v", s)
	case was.m.State() == s && f.Now < was.pace && f.Kind != Seen && f.Kind != Drained && !(c.Op == Release && settles):
		return broken("R12", "%v: %v again %v too soon after an unusable answer", f.Kind, c.Op, was.pace.Sub(f.Now))
	}
	return nil
}

// judgeHost compares what the machine tells of itself with what the host knows.
func judgeHost(w *world, f *fact) *fault {
	m := &w.m
	switch {
	case m.working != w.work:
		return broken("R9", "%v: the machine is wrong about the work: %v", f.Kind, m.working)
	case m.Paused() != w.paused || m.Stopped() != w.stopped:
		return broken("host", "%v: paused %v, stopped %v", f.Kind, m.Paused(), m.Stopped())
	case m.State() >= Leader && !w.doubt && m.Term() != w.term:
		return broken("R5", "%v: the machine takes term %d for its own, it is %d", f.Kind, m.Term(), w.term)
	}
	return nil
}

// judgeAwaited compares the one call that the machine awaits with the one that is owed an answer.
func judgeAwaited(w *world) *fault {
	op, number := w.m.Awaits()
	owed := w.owed
	if w.op == NoCall {
		owed = 0
	}
	if op != w.op || number != owed {
		return broken("R10", "the machine awaits %v %d, the host owes %v %d", op, number, w.op, owed)
	}
	return nil
}
