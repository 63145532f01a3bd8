package simulate

import (
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// auditLine reads events as events.Transition writes them, without allocating. It takes only what it is sure of; all
// else is left to encoding/json, which says what is wrong with it.
type auditLine struct {
	rest  []byte
	fine  bool
	names map[string]string // strings met before, so that each is kept once
	keys  map[string]bool   // keys that were checked
	known struct {
		states  map[string]fsm.State
		reasons map[string]fsm.Reason
		kinds   map[string]events.Kind
	}
}

func newAuditLine() *auditLine {
	l := &auditLine{names: map[string]string{}, keys: map[string]bool{}}
	l.known.states, l.known.reasons = map[string]fsm.State{}, map[string]fsm.Reason{}
	l.known.kinds = map[string]events.Kind{}
	for s := fsm.Follower; s <= fsm.Releasing; s++ {
		l.known.states[s.String()] = s
	}
	for r := fsm.None; r <= fsm.Abandoned; r++ {
		l.known.reasons[r.String()] = r
	}
	for k := events.Moved; k <= events.Overrun; k++ {
		l.known.kinds[k.String()] = k
	}
	return l
}

// read returns the event in line, without its leader and its error, or the error of encoding/json.
func (l *auditLine) read(line []byte) (events.Transition, error) {
	if t, ok := l.quick(line); ok {
		return t, nil
	}
	var t events.Transition
	err := t.UnmarshalJSON(line)
	return t, err
}

func (l *auditLine) quick(line []byte) (t events.Transition, ok bool) {
	l.rest, l.fine = line, true
	l.take('{')
	version, seen := uint64(0), uint32(0)
	for l.fine {
		field := l.text()
		l.take(':')
		bit := uint32(0)
		switch string(field) {
		case "v":
			version, bit = l.number(), 1<<0
		case "seq":
			t.Seq, bit = l.number(), 1<<1
		case "kind":
			t.Kind, bit = named(l, l.known.kinds), 1<<2
		case "node":
			t.Node, bit = l.name(lease.MaxName), 1<<3
		case "key":
			t.Key, bit = l.name(lease.MaxKey), 1<<4
		case "from":
			t.From, bit = named(l, l.known.states), 1<<5
		case "to":
			t.To, bit = named(l, l.known.states), 1<<6
		case "reason":
			t.Reason, bit = named(l, l.known.reasons), 1<<7
		case "term":
			t.Term, bit = lease.Term(l.number()), 1<<8
		case "at":
			t.At, bit = l.instant(), 1<<9
		case "missed":
			t.Missed, bit = l.number(), 1<<10
		case "snapshot":
			t.Snapshot, bit = l.truth(), 1<<11
		case "leader":
			bit = 1 << 12
			l.holder()
		case "err":
			bit = 1 << 13
			l.text()
		default:
			return t, false
		}
		if seen&bit != 0 {
			return t, false
		}
		seen |= bit
		if len(l.rest) > 0 && l.rest[0] == '}' {
			break
		}
		l.take(',')
	}
	l.take('}')
	// What has no zero value by name must be there: kind, from, to and reason.
	const needed = 1<<0 | 1<<2 | 1<<5 | 1<<6 | 1<<7
	return t, l.fine && len(l.rest) == 0 && version == events.Schema && seen&needed == needed && l.keyed(t.Key)
}

func (l *auditLine) keyed(key string) bool {
	if key == "" || l.keys[key] {
		return true
	}
	l.keys[key] = lease.CheckKey(key) == nil
	return l.keys[key]
}

func (l *auditLine) take(c byte) {
	if len(l.rest) == 0 || l.rest[0] != c {
		l.fine = false
		return
	}
	l.rest = l.rest[1:]
}

// text takes a string of plain ASCII without escapes.
func (l *auditLine) text() []byte {
	l.take('"')
	for i, c := range l.rest {
		switch {
		case !l.fine || c < ' ' || c == '\\' || c > '~':
			l.fine = false
			return nil
		case c == '"':
			s := l.rest[:i]
			l.rest = l.rest[i+1:]
			return s
		}
	}
	l.fine = false
	return nil
}

// name takes a string that comes again and again.
func (l *auditLine) name(most int) string {
	s := l.text()
	if len(s) > most {
		l.fine = false
		return ""
	}
	known, ok := l.names[string(s)]
	if !ok {
		known = string(s)
		l.names[known] = known
	}
	return known
}

func named[V any](l *auditLine, known map[string]V) V {
	v, ok := known[string(l.text())]
	l.fine = l.fine && ok
	return v
}

// number takes a number of at most 18 digits.
func (l *auditLine) number() (n uint64) {
	i := 0
	for ; i < len(l.rest) && i < 19 && l.rest[i] >= '0' && l.rest[i] <= '9'; i++ {
		n = n*10 + uint64(l.rest[i]-'0')
	}
	if i == 0 || i == 19 || i > 1 && l.rest[0] == '0' {
		l.fine = false
		return 0
	}
	l.rest = l.rest[i:]
	return n
}

func (l *auditLine) truth() bool {
	if len(l.rest) >= 4 && string(l.rest[:4]) == "true" {
		l.rest = l.rest[4:]
		return true
	}
	l.fine = false
	return false
}

// instant takes a time in UTC.
func (l *auditLine) instant() (at time.Time) {
	s := l.text()
	if len(s) == 0 || s[len(s)-1] != 'Z' || at.UnmarshalText(s) != nil {
		l.fine = false
	}
	return at.UTC()
}

// holder passes over a leader.
func (l *auditLine) holder() {
	l.take('{')
	for l.fine {
		field := l.text()
		l.take(':')
		value := l.text()
		switch string(field) {
		case "name", "incarnation":
			l.fine = l.fine && len(value) <= lease.MaxName
		case "meta":
			l.fine = l.fine && len(value) <= lease.MaxMeta
		default:
			l.fine = false
		}
		if len(l.rest) > 0 && l.rest[0] == '}' {
			break
		}
		l.take(',')
	}
	l.take('}')
}
