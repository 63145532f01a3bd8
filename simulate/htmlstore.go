package simulate

import (
	"fmt"
	"strconv"
	"time"
)

// holding is what the store has on record.
type holding struct {
	holder  int8 // -1: nobody; less: somebody who is not among the nodes
	term    uint64
	expires time.Duration
}

// holding is the record after entry e, and whether e says anything of it. What a person or a fault does to the store
// has no entry of its own kind.
func (h holding) after(e Entry, ttl time.Duration) (holding, bool) {
	switch {
	case e.Kind == CarriedOut:
		h = holding{e.Holder, uint64(e.Term), time.Duration(e.Expires)}
		if h.holder == -1 {
			h.expires = 0
		}
	case e.Kind == FaultBegan && e.Fault.Kind == Early && h.holder != -1:
		h.expires = max(h.expires-e.Fault.By, e.At)
	case e.Kind == FaultBegan && e.Fault.Kind == Late && h.holder != -1 && h.expires > e.At:
		h.expires += e.Fault.By
	case e.Kind == FaultBegan && e.Fault.Kind == Delete:
		h.holder, h.expires = -1, 0
	case e.Kind == FaultBegan && e.Fault.Kind == Evict && h.holder != -1:
		h = holding{-2, h.term + 1, e.At + ttl}
	default:
		return h, false
	}
	return h, true
}

// leases draws who has the lease at the store, under which term and how much longer.
func (l *lanes) leases() {
	now := holding{holder: -1}
	var from, since time.Duration // of the slope, of the bar
	entry, first := 0, 0
	for i, e := range l.all {
		next, tells := now.after(e, l.t.Scenario.Timing.TTL)
		if !tells {
			continue
		}
		if next.holder != now.holder || next.term != now.term {
			l.held(now, since, e.At, first)
			since, first = e.At, i
		}
		if next.holder != now.holder || abs(next.expires-now.expires) > 50*time.Millisecond {
			l.left(now, from, e.At, entry)
			from, entry = e.At, i
		}
		now = next
	}
	l.held(now, since, l.over, first)
	l.left(now, from, l.over, entry)
	l.b.WriteByte('\n')
}

// held draws the bar of a lease.
func (l *lanes) held(h holding, since, at time.Duration, entry int) {
	if at = min(at, h.expires); h.holder == -1 || at <= max(since, l.begin) {
		return
	}
	y, wide := l.top(-1)+barTop, l.at(at)-l.at(since)
	fmt.Fprintf(l.b, "<rect class=held x=%s y=%d width=%s height=%d data-e=%s />", l.x(since), y, px(wide), barHigh,
		l.ref(entry))
	label := fmt.Sprintf("term %d · n%d", h.term, h.holder)
	if h.holder < 0 {
		label = fmt.Sprintf("term %d · other", h.term)
	}
	if wide < 80 {
		label = strconv.FormatUint(h.term, 10)
	}
	if wide > 12 {
		fmt.Fprintf(l.b, "<text class=term x=%s y=%d>%s</text>", px(l.at(since)+5), y+12, label)
	}
}

// left draws how the time of a lease runs out.
func (l *lanes) left(h holding, from, at time.Duration, entry int) {
	if h.holder == -1 {
		return
	}
	base := l.top(-1) + bandTop + bandHigh
	l.slope("lease", base, from, h.expires, at, entry)
	if h.expires <= at && h.expires > from {
		l.deadline("expiry", base, h.expires, entry)
	}
}

func abs(d time.Duration) time.Duration { return max(d, -d) }
