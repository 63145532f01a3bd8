package register

import (
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Two worlds have the same future if they have the same key: times are relative to the present, and times so long ago
// that they make no difference are all one. So the walk ends although its time does not.

type bodyKey struct {
	nonce     [2]byte
	term, seq uint8
	at        int8
}

type peerKey struct {
	phase                     phase
	op                        Op
	calls, writes             uint8
	conflict, leading, late   bool
	term, callTerm            uint8
	sent, asked, since, until int8
	sight, found, lateOn, on  [4]byte
	write, lateBody           bodyKey
	foundAt                   int8
}

type worldKey struct {
	body    bodyKey
	faults  int8
	top     lease.Term
	granted uint64
	peers   [2]peerKey
}

const longAgo = 3 // ticks: more than any TTL

func ago(now, t time.Duration) int8 { return int8(max(t-now, -longAgo)) }

//go:norace
func (e *explorer) bodyKey(w *world, b Body) (k bodyKey) {
	copy(k.nonce[:], b.Nonce)
	k.term, k.seq = uint8(b.Term), uint8(b.Seq)
	if b.Domain != "" {
		k.at = ago(w.now, b.At-e.skew[b.Holder.Name[0]-'a'])
	}
	return k
}

//go:norace
func (e *explorer) key(w *world) worldKey {
	k := worldKey{body: e.bodyKey(w, w.body), faults: int8(w.faults), top: w.top, granted: w.granted}
	for i := range w.peers {
		p, q := &w.peers[i], &k.peers[i]
		q.phase, q.op, q.calls, q.writes = p.phase, p.call.Op, uint8(p.calls), uint8(p.call.Writes)
		q.conflict, q.leading, q.late, q.term = p.conflict, p.leading, p.late, uint8(p.term)
		q.callTerm = uint8(p.call.Term)
		if p.leading {
			q.until = ago(w.now, p.until)
		}
		if p.phase != idle {
			q.sent, q.asked = ago(w.now, p.sent), ago(w.now, p.asked)
		}
		if p.sight.Version != "" {
			q.since = ago(w.now, p.sight.Since)
		}
		copy(q.sight[:], p.sight.Version)
		copy(q.found[:], p.version)
		q.foundAt = e.bodyKey(w, p.found).at
		copy(q.on[:], p.call.On)
		copy(q.lateOn[:], p.lateVersion)
		q.write, q.lateBody = e.bodyKey(w, p.call.Sent), e.bodyKey(w, p.lateBody)
	}
	return k
}

// tidy forgets what can make no difference any more.
//
//go:norace
func (e *explorer) tidy(w *world) {
	for i := range w.peers {
		p := &w.peers[i]
		if p.late && p.lateVersion != versionOf(w.body) && !e.blind { // no version ever comes back
			p.late, p.lateBody, p.lateVersion = false, Body{}, ""
		}
		lease := Call{Holder: who[i], Term: p.term}
		if v := p.sight.Version; v != versionOf(w.body) && v != p.version && !lease.Holds(p.sight.Body) && !e.sticky {
			p.sight = Sight{}
		}
		if p.leading && w.now >= p.until && p.phase == idle {
			p.leading, p.term, p.until = false, 0, 0
		}
		if e.decision.see == nil {
			p.asked = 0
		}
	}
}
