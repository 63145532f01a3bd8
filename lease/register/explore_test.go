package register

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// The exploration walks every order of events of two contenders on one key: each reads the register, gets the answer,
// writes, gets the answer, with the clock ticking anywhere in between; requests and answers get lost, calls end
// early, and a write that was given up may still arrive at any later time. It is the decision alone that is under
// test, so a mutant of it can be put in its place. There is one goroutine only, so the race detector, which makes
// this ten times slower, is told to look away.

type phase uint8

const (
	idle    phase = iota
	toLoad        // the request to load is on its way
	loaded        // the register has answered; the answer is on its way
	toStore       // the request to store is on its way
	stored        // the register has carried it out or refused it; the answer is on its way
)

type peer struct {
	phase    phase
	call     Call
	calls    int
	sent     time.Duration // when the call began
	asked    time.Duration // when the load began
	sight    Sight
	version  string // what the load found
	found    Body
	move     Move // what the store is to write
	conflict bool

	leading bool
	term    lease.Term
	until   time.Duration

	late        bool // a write that the peer has given up on, and which may arrive yet
	lateBody    Body
	lateVersion string
}

type world struct {
	now     time.Duration
	body    Body
	faults  int
	top     lease.Term // the highest term ever written by an acquisition
	granted uint64     // the terms that Acquire has returned
	peers   [2]peer
}

// decision is what a mutant may replace.
type decision struct {
	next    func(c Call, s Sight, now Now) (Call, Move)
	see     func(s Sight, version string, b Body, asked, now Now) Sight
	blind   bool // the takeover ignores the version
	sticky  bool // what was seen of older versions counts
	unknown Step // what an unknown outcome is taken for; zero: read back
}

type setting struct {
	calls  [2]int
	ttl    [2]time.Duration
	domain [2]string
	skew   [2]time.Duration // of the clock whose name is domain
	faults int
}

type explorer struct {
	decision
	setting
	seed    maphash.Seed
	seen    map[uint64]struct{}
	trail   []string
	failure string
}

//go:norace
func versionOf(b Body) string {
	if b == (Body{}) {
		return ""
	}
	return b.Nonce + string([]byte{byte('0' + b.Term), byte('0' + b.Seq)})
}

func (e *explorer) at(p int, t time.Duration) Now {
	return Now{Local: t, Domain: e.domain[p], Shared: t + e.skew[p]}
}

var (
	who    = [2]lease.Holder{{Name: "a", Incarnation: "1"}, {Name: "b", Incarnation: "1"}}
	nonces = [2][6]string{{"a0", "a1", "a2", "a3", "a4", "a5"}, {"b0", "b1", "b2", "b3", "b4", "b5"}}
)

// walk visits w and all worlds that can follow it, until a rule is broken.
//
//go:norace
func (e *explorer) walk(w world, event string) {
	if e.failure != "" {
		return
	}
	if len(e.seen) == 5_000_000 {
		e.broken("the world is too large to be walked to its end")
		return
	}
	e.tidy(&w)
	key := maphash.Comparable(e.seed, e.key(&w))
	if _, ok := e.seen[key]; ok {
		return
	}
	e.seen[key] = struct{}{}
	e.trail = append(e.trail, event)
	defer func() { e.trail = e.trail[:len(e.trail)-1] }()
	if w.leads(0) && w.leads(1) {
		e.broken("both lead")
		return
	}
	next := w
	next.now++
	e.walk(next, "tick")
	for p := range w.peers {
		e.peerEvents(w, p)
	}
}

//go:norace
func (w *world) leads(p int) bool { return w.peers[p].leading && w.now < w.peers[p].until }

func (e *explorer) broken(rule string) {
	if e.failure == "" {
		e.failure = rule + " after: " + strings.Join(e.trail, ", ")
	}
}

// peerEvents walks on with everything that can happen to peer p next.
//
//go:norace
func (e *explorer) peerEvents(w world, p int) {
	me := &w.peers[p]
	name := who[p].Name
	if me.late {
		next := w
		next.peers[p].late = false
		e.apply(&next, me.lateBody, me.lateVersion)
		e.walk(next, name+" late write arrives")
	}
	switch me.phase {
	case idle:
		if me.calls == e.calls[p] {
			return
		}
		if !w.leads(p) {
			e.begin(w, p, Call{Op: Acquire, Holder: who[p], TTL: e.ttl[p]})
			return
		}
		e.begin(w, p, Call{Op: Renew, Holder: who[p], Term: me.term, TTL: e.ttl[p]})
		e.begin(w, p, Call{Op: Release, Holder: who[p], Term: me.term})
	case toLoad:
		next := w
		n := &next.peers[p]
		n.phase, n.version, n.found = loaded, versionOf(w.body), w.body
		e.walk(next, name+" load reads "+n.version)
		e.end(w, p, name+" gives up loading")
	case loaded:
		me.sight = e.look(me.sight, me.version, me.found, e.at(p, me.asked), e.at(p, w.now))
		e.decide(w, p, name+" load answered")
	case toStore:
		next := w
		next.peers[p].conflict = !e.apply(&next, me.move.Body, me.move.Version)
		next.peers[p].phase = stored
		e.walk(next, fmt.Sprintf("%s store of %s on %q conflict=%v", name, versionOf(me.move.Body), me.move.Version,
			next.peers[p].conflict))
		if w.faults > 0 {
			next = w
			next.faults--
			e.unsure(next, p, name+" store request lost")
			if !me.late {
				n := &next.peers[p]
				n.late, n.lateBody, n.lateVersion = true, me.move.Body, me.move.Version
				e.unsure(next, p, name+" store request delayed")
			}
		}
	case stored:
		if me.conflict {
			next := w
			next.peers[p].phase, next.peers[p].asked = toLoad, w.now
			e.walk(next, name+" told of the conflict")
		} else {
			next := w
			n := &next.peers[p]
			n.sight = e.look(n.sight, versionOf(me.move.Body), me.move.Body, e.at(p, w.now), e.at(p, w.now))
			e.done(next, p, me.move.Body, name+" told of success")
		}
		if w.faults > 0 {
			w.faults--
			e.unsure(w, p, name+" store answer lost")
		}
	}
}

//go:norace
func (e *explorer) look(s Sight, version string, b Body, asked, now Now) Sight {
	if e.see != nil {
		return e.see(s, version, b, asked, now)
	}
	return s.See(version, b, now)
}

// apply carries a write out at the register, or refuses it.
//
//go:norace
func (e *explorer) apply(w *world, b Body, on string) bool {
	acquisition := !b.Holder.IsZero() && b.Seq == 0 && b.Nonce != w.body.Nonce
	if versionOf(w.body) != on && !(e.blind && acquisition) {
		return false
	}
	if acquisition && b.Term <= w.top {
		e.broken(fmt.Sprintf("term %d was written after term %d", b.Term, w.top))
	}
	if acquisition {
		w.top = b.Term
	}
	w.body = b
	return true
}

//go:norace
func (e *explorer) begin(w world, p int, c Call) {
	me := &w.peers[p]
	c.Nonce = nonces[p][me.calls]
	me.calls++
	me.call, me.sent, me.asked = c, w.now, w.now
	me.leading = c.Op == Renew // a holder that releases, or stands anew, has stopped
	if c.Op != Acquire && c.Holds(me.sight.Body) {
		e.decide(w, p, who[p].Name+" begins to "+c.Op.String()+" unseen")
		return
	}
	me.phase = toLoad
	e.walk(w, who[p].Name+" begins to "+c.Op.String())
}

//go:norace
func (e *explorer) decide(w world, p int, event string) {
	me := &w.peers[p]
	me.call, me.move = e.next(me.call, me.sight, e.at(p, w.now))
	switch me.move.Step {
	case Write:
		me.phase = toStore
		e.walk(w, event)
	case Done:
		e.done(w, p, me.move.Body, event+": it is our own")
	case Refused:
		mine := w.body.Holder.Is(who[p]) && (me.call.Op != Acquire && w.body.Term == me.call.Term ||
			me.call.Op == Acquire && w.body.Nonce == me.call.Nonce)
		if mine {
			e.trail = append(e.trail, event)
			e.broken("refused its own lease")
		}
		me.leading = false
		e.end(w, p, event+": refused")
	default:
		e.end(w, p, event+": gives up")
	}
}

//go:norace
func (e *explorer) unsure(w world, p int, event string) {
	switch e.unknown {
	case Done:
		e.done(w, p, w.peers[p].move.Body, event+", taken for success")
	default:
		w.peers[p].phase, w.peers[p].asked = toLoad, w.now
		e.walk(w, event)
	}
}

//go:norace
func (e *explorer) done(w world, p int, b Body, event string) {
	me := &w.peers[p]
	switch me.call.Op {
	case Acquire:
		if w.granted&(1<<b.Term) != 0 {
			e.trail = append(e.trail, event)
			e.broken(fmt.Sprintf("term %d was granted twice", b.Term))
		}
		w.granted |= 1 << b.Term
		me.leading, me.term, me.until = true, b.Term, me.sent+e.ttl[p]
	case Renew:
		me.until = max(me.until, me.sent+e.ttl[p])
	}
	e.end(w, p, event)
}

//go:norace
func (e *explorer) end(w world, p int, event string) {
	me := &w.peers[p]
	me.phase, me.call, me.move, me.found, me.version, me.conflict = idle, Call{}, Move{}, Body{}, "", false
	me.sent, me.asked = 0, 0
	if !me.leading {
		me.term, me.until = 0, 0
	}
	e.walk(w, event)
}

func explore(d decision, s setting) (worlds int, failure string) {
	if d.next == nil {
		d.next = Call.Next
	}
	e := &explorer{decision: d, setting: s, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	e.walk(world{faults: s.faults}, "start")
	return len(e.seen), e.failure
}

// settings are the small worlds that are walked: two hosts without a common clock, two processes of one host, and two
// hosts that both have a clock of their own, far apart.
var settings = map[string]setting{
	"two hosts": {calls: [2]int{2, 2}, ttl: [2]time.Duration{2, 1}, faults: 1},
	"one host": {calls: [2]int{2, 1}, ttl: [2]time.Duration{2, 1}, faults: 1,
		domain: [2]string{"boot", "boot"}},
	"clocks apart": {calls: [2]int{2, 1}, ttl: [2]time.Duration{2, 1}, faults: 1,
		domain: [2]string{"boot 1", "boot 2"}, skew: [2]time.Duration{0, 10}},
}

func TestNoOrderOfEventsGivesTwoHoldersOrARepeatedTerm(t *testing.T) {
	for name, s := range settings {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			worlds, failure := explore(decision{}, s)
			if failure != "" {
				t.Fatal(failure)
			}
			t.Logf("%d worlds in %v", worlds, time.Since(start))
			if worlds < 10_000 {
				t.Fatalf("only %d worlds were walked; the exploration has become too small to mean anything", worlds)
			}
		})
	}
}
