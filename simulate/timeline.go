package simulate

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// columns is how wide the lanes of a timeline are.
const columns = 72

// lane is what a timeline shows of one node: a mark for each column.
type lane [columns]byte

// marks of a lane, from the least to the most worth seeing when several fall into one column
const marks = " .?~#xz!"

// Timeline draws the trace for a terminal: a lane for each node and one for the store.
//
//	. follower  ? acquiring  # leader  ~ releasing  x down  z paused  ! the violation
//
// A lane of the store shows the last digit of the term that is held, or - while nobody holds the lease. Below stand the
// faults and the last entries before the end. It is never longer than 60 lines.
func (t *Trace) Timeline() string {
	var b strings.Builder
	end := t.Scenario.End
	if t.Violation.Rule != "" {
		fmt.Fprintf(&b, "FAIL %s\n", t.Violation)
		end = min(end, t.Violation.At+t.Violation.At/20+time.Second)
	}
	fmt.Fprintf(&b, "seed %d  digest %016x  nodes %d  ttl %v  store %s\n",
		t.Scenario.Seed, t.Digest, t.Scenario.Nodes, t.Scenario.Timing.TTL, t.Scenario.Store)
	faults := t.Scenario.Faults
	for i, f := range faults {
		if i == 12 && len(faults) > 13 {
			fmt.Fprintf(&b, "  and %d more faults\n", len(faults)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", f)
	}
	b.WriteString(ruler(end))
	for i := range t.Scenario.Nodes {
		l := t.lane(int8(i), end)
		fmt.Fprintf(&b, "  n%-4d %s\n", i, strings.TrimRight(string(l[:]), " "))
	}
	store := t.storeLane(end)
	fmt.Fprintf(&b, "  store %s\n", strings.TrimRight(string(store[:]), " "))
	b.WriteString(t.tail(10))
	return b.String()
}

// ruler is the line of times above the lanes.
func ruler(end time.Duration) string {
	line := []byte(strings.Repeat(" ", columns+8))
	for k := 0; k < columns; k += 12 {
		at := (end * time.Duration(k) / columns).Round(100 * time.Millisecond)
		copy(line[8+k:], "|"+at.String())
	}
	return strings.TrimRight(string(line), " ") + "\n"
}

func column(at, end time.Duration) int {
	return min(int(at*columns/max(end, 1)), columns-1)
}

// fill puts mark from one column to another, where nothing more worth seeing is.
func (l *lane) fill(from, to int, mark byte) {
	for c := max(from, 0); c <= min(to, columns-1); c++ {
		if strings.IndexByte(marks, mark) >= strings.IndexByte(marks, l[c]) {
			l[c] = mark
		}
	}
}

func (t *Trace) lane(node int8, end time.Duration) lane {
	var l lane
	for c := range l {
		l[c] = ' '
	}
	mark, since := byte(' '), 0
	turn := func(at time.Duration, next byte) {
		c := column(at, end)
		l.fill(since, max(c-1, since), mark)
		mark, since = next, c
	}
	for _, e := range t.Entries {
		if e.Kind == Violated {
			l.fill(column(e.At, end), column(e.At, end), '!')
		}
		if e.Node != node || e.At > end {
			continue
		}
		switch e.Kind {
		case Started:
			turn(e.At, '.')
		case Moved:
			turn(e.At, [...]byte{fsm.Follower: '.', fsm.Acquiring: '?', fsm.Leader: '#', fsm.Releasing: '~'}[e.To])
		case Ended, Crashed:
			turn(e.At, 'x')
		case FaultBegan:
			if e.Fault.Kind == Pause || e.Fault.Kind == Sleep {
				l.fill(column(e.At, end), column(e.At+e.Fault.For, end)-1, 'z')
			}
		}
	}
	l.fill(since, column(end, end), mark)
	return l
}

func (t *Trace) storeLane(end time.Duration) (l lane) {
	mark, since := byte('-'), 0
	var expires time.Duration
	until := func(c int) {
		for k := since; k < c; k++ {
			l[k] = mark
			if mark != '-' && end*time.Duration(k)/columns > expires {
				l[k] = '-'
			}
		}
		since = max(since, c)
	}
	for k := range l {
		l[k] = '-'
	}
	for _, e := range t.Entries {
		if e.Kind != CarriedOut || e.At > end {
			continue
		}
		next := byte('-')
		if e.Holder >= 0 {
			next = '0' + byte(e.Term%10)
		}
		until(column(e.At, end))
		mark, expires = next, time.Duration(e.Expires)
	}
	until(columns)
	return l
}

// tail is the last n entries before the end, a line each.
func (t *Trace) tail(n int) string {
	var b strings.Builder
	entries := t.Entries
	if v := t.Violation; v.Rule != "" { // in a bubble the schedule may have gone on
		for i, e := range entries {
			if e.Kind == Violated && e.At == v.At && e.Text == v.String() {
				entries = entries[:i+1]
				break
			}
		}
	}
	for len(entries) > 0 && t.Violation.Rule == "" && entries[len(entries)-1].At > t.Scenario.End {
		entries = entries[:len(entries)-1]
	}
	for _, e := range entries[max(0, len(entries)-n):] {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	return b.String()
}

// String returns the entry as one line.
func (e Entry) String() string {
	who := fmt.Sprintf("n%d", e.Node)
	at := fmt.Sprintf("%10.4fs  ", e.At.Seconds())
	switch e.Kind {
	case Started:
		return at + who + " starts"
	case Moved:
		return at + fmt.Sprintf("%s %v -> %v (%v), term %d", who, e.From, e.To, e.Reason, e.Term)
	case Asked:
		return at + fmt.Sprintf("%s asks #%d: %v", who, e.Call, e.Op)
	case CarriedOut:
		holder := "nobody"
		if e.Holder >= 0 {
			holder = fmt.Sprintf("n%d", e.Holder)
		} else if e.Holder < -1 {
			holder = "somebody else"
		}
		return at + fmt.Sprintf("store: %v of %s #%d %v; %s has term %d", e.Op, who, e.Call, e.Answer, holder, e.Term)
	case Answered:
		return at + fmt.Sprintf("%s learns: %v %v", who, e.Op, e.Answer)
	case LostThere:
		return at + fmt.Sprintf("%s #%d (%v) is lost on its way to the store", who, e.Call, e.Op)
	case LostBack:
		return at + fmt.Sprintf("the answer to %s #%d (%v) is lost", who, e.Call, e.Op)
	case WorkEnded:
		return at + fmt.Sprintf("%s: the work of term %d has returned", who, e.Term)
	case Wrote:
		return at + fmt.Sprintf("%s writes under term %d: accepted", who, e.Term)
	case Barred:
		return at + fmt.Sprintf("%s writes under term %d: refused", who, e.Term)
	case Ended:
		return at + who + " has stopped"
	case Crashed:
		return at + who + " dies"
	case FaultBegan:
		if shapes[e.Fault.Kind].store {
			return at + fmt.Sprintf("fault: %v", e.Fault)
		}
		return at + fmt.Sprintf("fault: %v (hits %s)", e.Fault, who)
	case FaultOver:
		return at + fmt.Sprintf("over: %v", e.Fault)
	case Healed:
		return at + "all faults are over"
	}
	return at + e.Text
}
