package kubernetes

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// This file decides what a Lease means and what is written into it. It has no clock, no input or output and no
// goroutine. Whether a lease may be taken, renewed or released is decided by [register.Call] on what this file
// returns.

const (
	// markName is the annotation beside the spec: what other electors do not know of.
	markName = "go-tenure.github.io/lease"
	// markFormat changes with every change of fields. A mark of another format is none.
	markFormat = 1
	// longestIdentity is how much of somebody else's identity is shown as a name.
	longestIdentity = lease.MaxName
	// unknownSeconds is how long a lease lasts that does not say: client-go's own default.
	unknownSeconds = 15
)

// mark is the annotation. It describes the spec that was written together with it, and nothing else: other electors
// leave it in place when they write theirs.
type mark struct {
	Format      int        `json:"tenure"`
	Key         string     `json:"key"`
	Holder      string     `json:"holder,omitempty"`
	Incarnation string     `json:"incarnation,omitempty"`
	Meta        string     `json:"meta,omitempty"`
	Term        lease.Term `json:"term"`
	Seq         uint64     `json:"seq,omitempty"`
	Seconds     int32      `json:"seconds,omitempty"`
	Transitions int32      `json:"transitions"`
	Nonce       string     `json:"nonce,omitempty"`
}

func (m mark) who() lease.Holder {
	return lease.Holder{Name: m.Holder, Incarnation: m.Incarnation, Meta: m.Meta}
}

// readMark returns the mark of o, if there is one that can be read and that is of key. Whoever damages it by hand
// ends the tenure of the holder that wrote it, and no more: the next term does not rest on it.
func readMark(o object, key string) (mark, bool) {
	var m mark
	text, ok := o.annotations[markName]
	if !ok || json.Unmarshal([]byte(text), &m) != nil || m.Format != markFormat || m.Key != key {
		return mark{}, false
	}
	sound := m.Term > 0 && m.Term <= register.MaxTerm && m.Transitions >= 0 && m.Seconds >= 0
	if m.who() != (lease.Holder{}) {
		sound = sound && m.who().Check() == nil && m.Seconds > 0
	}
	if !sound {
		return mark{}, false
	}
	return m, true
}

// identity is the holderIdentity of h: what people read in kubectl and what client-go compares with its own. The
// incarnation makes it unlike that of every other process.
func identity(h lease.Holder) string {
	if h.IsZero() {
		return ""
	}
	return h.Name + "_" + h.Incarnation
}

// view is what an observer knows of a Lease: what it holds, what that means, and since when the observer has seen
// exactly that. The zero view is that of a Lease that does not exist.
type view struct {
	object object
	body   register.Body
	alien  bool // written by another elector, or changed by somebody since
	since  time.Duration
}

// see returns what is known after the server has shown o, and now is read after the answer. An unchanged record keeps
// the instant of first sight, even if somebody has put a label on it meanwhile. high is the highest term heard of.
func (v view) see(o object, key string, guard time.Duration, high lease.Term, now time.Duration) view {
	if v.object.version != "" && v.object.known() == o.known() {
		v.object = o
		return v
	}
	next := view{object: o, since: now}
	m, marked := readMark(o, key)
	if marked && o.transitions == m.Transitions && o.holder == identity(m.who()) {
		next.body = register.Body{Holder: m.who(), Term: m.Term, Seq: m.Seq, Nonce: m.Nonce}
		if !m.who().IsZero() {
			next.body.TTL = time.Duration(max(o.seconds, m.Seconds)) * time.Second
		}
		return next
	}
	next.alien = true
	next.body = alienBody(o, m, marked, guard)
	switch {
	case next.body.Holder.IsZero():
		next.body.Term = max(next.body.Term, high)
	case v.alien && v.object.uid == o.uid && v.object.holder == o.holder && v.object.transitions == o.transitions:
		next.body.Term = v.body.Term // a renewal
	default:
		next.body.Term = max(next.body.Term, high+1)
	}
	return next
}

// alienBody is what a record means that this package has not written as it stands.
//
// A holder is judged by its own leaseDurationSeconds and the guard. Its term counts on from the last mark by the
// transitions since then, so that everybody sees it greater than the one that it ended.
//
// Nobody, under a mark that names a holder, is not a release: whoever holds the lease did not write that. A client-go
// elector does it when it is told to stop after it was frozen for longer than its lease. The holder has not heard of
// it yet, so the record is judged as if it were held by a stranger for as long as the holder was promised.
func alienBody(o object, m mark, marked bool, guard time.Duration) register.Body {
	seconds, since := o.seconds, max(o.transitions-m.Transitions, 0)
	term := m.Term + lease.Term(since)
	h := lease.Holder{Name: printable(o.holder)}
	switch {
	case o.holder != "" && (since == 0 || !marked): // client-go counts the first holder as no transition
		term++
	case o.holder != "":
	case marked && since == 0 && !m.who().IsZero():
		h, term, seconds = lease.Holder{Name: "nobody, after " + m.Holder}, m.Term+1, m.Seconds
	default:
		return register.Body{Term: term}
	}
	if seconds <= 0 {
		seconds = unknownSeconds
	}
	return register.Body{Holder: h, Term: term, TTL: time.Duration(seconds)*time.Second + guard}
}

// printable makes a name of an identity, which may be any text.
func printable(identity string) string {
	s := strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f {
			return '?'
		}
		return r
	}, identity)
	return s[:min(len(s), longestIdentity)]
}

// floor is a term that the next one must be greater than: one less than the version that the grant replaces. Versions
// count the changes of the whole cluster, and every term is at most the version that its grant replaced. So the next
// term is greater than all before it, though the Lease was deleted in between, and nobody's clock takes part.
func (v view) floor() (lease.Term, bool) {
	n, err := strconv.ParseUint(v.object.version, 10, 64)
	if err != nil || n == 0 || n > uint64(register.MaxTerm) {
		return 0, false
	}
	return lease.Term(n) - 1, true
}

// sight is v for [register.Call]. A Lease that does not exist has the version "".
func (v view) sight() register.Sight {
	return register.Sight{Version: v.object.version, Body: v.body, Since: v.since}
}

// write returns o with b in it. wall is the time that people read.
//
// What other electors see of a renewal is renewTime, to the second (client-go compares records after that much
// rounding). So every renewal moves it to another second, ahead of the clock if need be; otherwise they would not
// count it and take over too early.
func (o object) write(key string, b register.Body, wall time.Time) object {
	at := wall.UTC().Format(microTime)
	o.holder = identity(b.Holder)
	switch {
	case b.Holder.IsZero():
		o.seconds, o.acquired, o.renewed = 1, at, at
	case b.Seq == 0:
		o.seconds, o.acquired, o.renewed = seconds(b.TTL), at, at
		o.transitions = min(max(o.transitions, 0), math.MaxInt32-1) + 1
	default:
		o.seconds, o.renewed = seconds(b.TTL), later(o.renewed, wall)
	}
	m := mark{
		Format: markFormat, Key: key, Holder: b.Holder.Name, Incarnation: b.Holder.Incarnation, Meta: b.Holder.Meta,
		Term: b.Term, Seq: b.Seq, Transitions: o.transitions, Nonce: b.Nonce,
	}
	if !b.Holder.IsZero() {
		m.Seconds = o.seconds
	}
	return o.annotated(markName, string(encodeJSON(m)))
}

// seconds rounds up: whoever counts whole seconds must not count too few.
func seconds(ttl time.Duration) int32 {
	return int32(min(max((ttl+time.Second-1)/time.Second, 1), math.MaxInt32))
}

// later is wall, or the beginning of the second after before if wall is not in a later second.
func later(before string, wall time.Time) string {
	t, err := time.Parse(time.RFC3339Nano, before)
	if next := t.Truncate(time.Second).Add(time.Second); err == nil && wall.Before(next) {
		wall = next
	}
	return wall.UTC().Format(microTime)
}
