package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Schema is the version of the JSON form of a Transition, in its field "v". It rises when a reader of the old form
// would misread the new one; fields may be added without.
const Schema = 1

// MaxErrText is how many bytes of an error's text are written; the rest is cut off.
const MaxErrText = 4096

type record struct {
	V        int        `json:"v"`
	Seq      uint64     `json:"seq"`
	Kind     string     `json:"kind"`
	Node     string     `json:"node,omitempty"`
	Key      string     `json:"key"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Reason   string     `json:"reason"`
	Term     lease.Term `json:"term,omitempty"`
	Leader   *holder    `json:"leader,omitempty"`
	At       *time.Time `json:"at,omitempty"`
	Err      *string    `json:"err,omitempty"`
	Snapshot bool       `json:"snapshot,omitempty"`
	Missed   uint64     `json:"missed,omitempty"`
}

type holder struct {
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	Meta        string `json:"meta,omitempty"`
}

// text is an error that was read back: its words, and no longer its type.
type text string

func (e text) Error() string { return string(e) }

// MarshalJSON writes t as one object without line breaks: v, seq, kind, node, key, from, to, reason, term, leader
// (name, incarnation, meta), at, err, snapshot, missed. States, reasons and kinds are written by name, At in UTC,
// Err as its text; what is zero may be left out. It fails if a state, reason or kind has no name.
func (t Transition) MarshalJSON() ([]byte, error) {
	r := record{
		V: Schema, Seq: t.Seq, Kind: t.Kind.String(), Node: t.Node, Key: t.Key,
		From: t.From.String(), To: t.To.String(), Reason: t.Reason.String(), Term: t.Term,
		Snapshot: t.Snapshot, Missed: t.Missed,
	}
	if err := errors.Join(parse(r.Kind, new(Kind)), parse(r.From, new(fsm.State)), parse(r.To, new(fsm.State)),
		parse(r.Reason, new(fsm.Reason))); err != nil {
		return nil, fmt.Errorf("events: event %d cannot be written: %w", t.Seq, err)
	}
	if t.Leader != (lease.Holder{}) {
		h := holder(t.Leader)
		r.Leader = &h
	}
	if !t.At.IsZero() {
		at := t.At.UTC()
		r.At = &at
	}
	if t.Err != nil {
		s := cut(t.Err.Error())
		r.Err = &s
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads what MarshalJSON wrote. The input may be anything: an error says what is wrong with it, and t
// is then unchanged. Fields it does not know are passed over. Err comes back as an error with the same text only.
func (t *Transition) UnmarshalJSON(b []byte) error {
	var schema struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		return fmt.Errorf("events: not an event: %w", err)
	}
	if schema.V == nil {
		return errors.New(`events: not an event: it has no field "v"`)
	}
	if *schema.V != Schema {
		return fmt.Errorf("events: the event has schema version %d, this program reads %d; "+
			"use the version that wrote it", *schema.V, Schema)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("events: not an event: %w", err)
	}
	got := Transition{Seq: r.Seq, Node: r.Node, Key: r.Key, Term: r.Term, Snapshot: r.Snapshot, Missed: r.Missed}
	faults := []error{
		parse(r.Kind, &got.Kind), parse(r.From, &got.From), parse(r.To, &got.To), parse(r.Reason, &got.Reason),
		within("node", r.Node, lease.MaxName),
	}
	if r.Key != "" {
		faults = append(faults, lease.CheckKey(r.Key))
	}
	if r.Leader != nil {
		got.Leader = lease.Holder(*r.Leader)
		faults = append(faults, within("leader.name", got.Leader.Name, lease.MaxName),
			within("leader.incarnation", got.Leader.Incarnation, lease.MaxName),
			within("leader.meta", got.Leader.Meta, lease.MaxMeta))
	}
	if r.At != nil {
		if got.At = r.At.UTC(); got.At.Year() < 0 || got.At.Year() > 9999 {
			faults = append(faults, fmt.Errorf("at: %v is not within the years 0 to 9999 in UTC", r.At))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("events: event %d: %w", r.Seq, err)
	}
	if r.Err != nil {
		got.Err = text(cut(*r.Err))
	}
	*t = got
	return nil
}

// parse sets v to the value that has the name. It asks the values themselves, so that a state or reason added to
// fsm can be read at once. 255 has no name; what has the name of 255 has none either.
func parse[V interface {
	~uint8
	String() string
}](name string, v *V) error {
	for i := range 255 {
		if c := V(i); c.String() == name && name != V(255).String() {
			*v = c
			return nil
		}
	}
	return fmt.Errorf("%T has no value %q", *v, name)
}

// within returns an error if s is too long to be what it should be.
func within(field, s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s has %d bytes; at most %d are allowed", field, len(s), most)
	}
	return nil
}

// cut shortens s to what is written of an error, without splitting a character.
func cut(s string) string {
	if len(s) <= MaxErrText {
		return s
	}
	end := MaxErrText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
