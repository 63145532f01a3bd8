package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 5000, time.FixedZone("", 3600))
	leader = lease.Holder{Name: "node-b", Incarnation: "DXNJ7AQN4LRWJ3BUHQ0K6Z5V2P", Meta: "10.0.0.7:80"}
	full   = events.Transition{
		Seq: 12, Node: "node-a", Key: "billing", From: fsm.Leader, To: fsm.Releasing, Reason: fsm.Lost, Term: 7,
		Leader: leader, At: noon, Err: errors.New("lease: lost <7>"), Missed: 3,
	}
)

// forms are the ways in which one event is written down.
var forms = []struct {
	event          events.Transition
	text, log, raw string
}{
	{
		full,
		"#12 billing: leader -> releasing (lost), term 7, 3 missed before: lease: lost <7>",
		`e.seq=12 e.node=node-a e.key=billing e.from=leader e.to=releasing e.reason=lost e.term=7 e.leader=node-b ` +
			`e.missed=3 e.err="lease: lost <7>"`,
		`{"v":1,"seq":12,"kind":"moved","node":"node-a","key":"billing","from":"leader","to":"releasing","reason":"lost",` +
			`"term":7,"leader":{"name":"node-b","incarnation":"DXNJ7AQN4LRWJ3BUHQ0K6Z5V2P","meta":"10.0.0.7:80"},` +
			`"at":"2026-03-01T11:00:00.000005Z","err":"lease: lost \u003c7\u003e","missed":3}`,
	},
	{
		events.Transition{
			Seq: 3, Kind: events.Observed, Key: "billing", Leader: lease.Holder{Name: "b", Incarnation: "i"}, Term: 2,
		},
		"#3 billing: follower sees b lead, term 2",
		"e.seq=3 e.kind=observed e.key=billing e.from=follower e.to=follower e.term=2 e.leader=b",
		`{"v":1,"seq":3,"kind":"observed","key":"billing","from":"follower","to":"follower","reason":"none","term":2,` +
			`"leader":{"name":"b","incarnation":"i"}}`,
	},
	{
		events.Transition{Seq: 4, Kind: events.Observed, Key: "billing"},
		"#4 billing: follower sees no leader",
		"e.seq=4 e.kind=observed e.key=billing e.from=follower e.to=follower",
		`{"v":1,"seq":4,"kind":"observed","key":"billing","from":"follower","to":"follower","reason":"none"}`,
	},
	{
		events.Transition{Seq: 5, Kind: events.Overrun, Key: "billing", From: fsm.Releasing, To: fsm.Releasing, Term: 2},
		"#5 billing: the work runs on beyond its limit while releasing, term 2",
		"e.seq=5 e.kind=overrun e.key=billing e.from=releasing e.to=releasing e.term=2",
		`{"v":1,"seq":5,"kind":"overrun","key":"billing","from":"releasing","to":"releasing","reason":"none","term":2}`,
	},
	{
		events.Transition{Seq: 6, Key: "billing", To: fsm.Acquiring, Snapshot: true},
		"#6 billing: is acquiring",
		"e.seq=6 e.key=billing e.from=follower e.to=acquiring e.snapshot=true",
		`{"v":1,"seq":6,"kind":"moved","key":"billing","from":"follower","to":"acquiring","reason":"none","snapshot":true}`,
	},
	{
		events.Transition{Snapshot: true},
		"#0 (no election): is follower",
		"e.seq=0 e.key=\"\" e.from=follower e.to=follower e.snapshot=true",
		`{"v":1,"seq":0,"kind":"moved","key":"","from":"follower","to":"follower","reason":"none","snapshot":true}`,
	},
}

func TestAnEventReadsTheSameForPeopleLogsAndPrograms(t *testing.T) {
	for _, f := range forms {
		if got := f.event.String(); got != f.text {
			t.Errorf("String: got\n%s, want\n%s", got, f.text)
		}
		raw, err := json.Marshal(f.event)
		if err != nil || string(raw) != f.raw {
			t.Errorf("JSON: got\n%s and %v, want\n%s", raw, err, f.raw)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "e", f.event)
		if _, got, _ := strings.Cut(strings.TrimSpace(log.String()), " msg=m "); got != f.log {
			t.Errorf("log: got\n%s, want\n%s", got, f.log)
		}
	}
}

func TestAnEventThatIsWrittenIsReadBackTheSame(t *testing.T) {
	for _, f := range forms {
		var got events.Transition
		if err := json.Unmarshal([]byte(f.raw), &got); err != nil || !got.Equal(f.event) {
			t.Errorf("got %+v and %v, want %+v", got, err, f.event)
		}
	}
	for kind := events.Moved; kind <= events.Overrun; kind++ {
		for state := fsm.Follower; state <= fsm.Releasing; state++ {
			for reason := fsm.None; reason <= fsm.Abandoned; reason++ {
				want := events.Transition{
					Seq: 1 << 63, Kind: kind, Key: "k", From: state, To: state, Reason: reason, Term: 1 << 63,
				}
				raw, err := json.Marshal(want)
				var got events.Transition
				if err != nil || json.Unmarshal(raw, &got) != nil || got != want {
					t.Fatalf("got %+v from %s (%v), want %+v", got, raw, err, want)
				}
			}
		}
	}
}

func TestALongErrorIsCutBetweenCharacters(t *testing.T) {
	e := events.Transition{Seq: 1, Key: "k", Err: errors.New(strings.Repeat("é", events.MaxErrText))}
	raw, err := json.Marshal(e)
	var got events.Transition
	if err != nil || json.Unmarshal(raw, &got) != nil || got.Err.Error() != strings.Repeat("é", events.MaxErrText/2) {
		t.Errorf("got %d bytes and %v", len(raw), err)
	}
	odd := events.Transition{Seq: 1, Key: "k", Err: errors.New("x" + strings.Repeat("é", events.MaxErrText))}
	raw, err = json.Marshal(odd)
	if err != nil || !bytes.Contains(raw, []byte("é\"")) || bytes.Contains(raw, []byte("\ufffd")) {
		t.Errorf("a character was split: %v", err)
	}
}

func TestAnEventWithoutANameForItsStateIsNotWritten(t *testing.T) {
	nameless := []events.Transition{{Seq: 9, To: 77}, {Seq: 9, From: 77}, {Seq: 9, Reason: 77}, {Seq: 9, Kind: 77}}
	for _, e := range nameless {
		if raw, err := json.Marshal(e); err == nil || !strings.Contains(err.Error(), "event 9 cannot be written") {
			t.Errorf("got %s and %v", raw, err)
		}
	}
}

func TestWhatIsNoEventIsRefusedByNameOfTheFault(t *testing.T) {
	with := func(fields string) string {
		return `{"v":1,"seq":2,"kind":"moved","key":"k","from":"leader","to":"leader","reason":"none",` + fields + `}`
	}
	long := strings.Repeat("n", 254)
	cases := map[string]string{
		`null`:                                   `it has no field "v"`,
		`{}`:                                     `it has no field "v"`,
		`[]`:                                     `not an event`,
		`{"v":"1"}`:                              `not an event`,
		`{"v":2,"seq":{}}`:                       `schema version 2, this program reads 1; use the version that wrote it`,
		`{"v":1,"seq":-1,"kind":"moved"}`:        `not an event`,
		`{"v":1,"seq":2}`:                        `events.Kind has no value ""`,
		with(`"kind":"unknown kind"`):            `events.Kind has no value "unknown kind"`,
		with(`"to":"Leader"`):                    `fsm.State has no value "Leader"`,
		with(`"from":"unknown state"`):           `fsm.State has no value "unknown state"`,
		with(`"reason":"why"`):                   `fsm.Reason has no value "why"`,
		with(`"key":"a\u0007"`):                  `byte 0x07`,
		with(`"key":"` + long + `"`):             `key has 254 bytes; 1 to 253 are allowed`,
		with(`"node":"` + long + `"`):            `node has 254 bytes; at most 253 are allowed`,
		with(`"leader":{"name":"` + long + `"}`): `leader.name has 254 bytes`,
		with(`"leader":{"name":"n","incarnation":"` + long + `"}`):               `leader.incarnation has 254 bytes`,
		with(`"leader":{"name":"n","meta":"` + strings.Repeat("n", 1025) + `"}`): `leader.meta has 1025 bytes`,
		with(`"at":"9999-12-31T23:59:59-01:00"`):                                 `not within the years 0 to 9999`,
		with(`"at":"noon"`):                                                      `not an event`,
	}
	for raw, fault := range cases {
		got := full
		err := got.UnmarshalJSON([]byte(raw))
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: got %v, want %s", raw, err, fault)
		}
		if got != full {
			t.Errorf("%s: left %+v behind", raw, got)
		}
	}
	var e events.Transition
	if err := json.Unmarshal([]byte(with(`"new":[1]`)), &e); err != nil || e.To != fsm.Leader {
		t.Errorf("a field from the future: got %v and %v", e, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, form := range forms {
		f.Add([]byte(form.raw))
	}
	f.Add([]byte(`{"v":1,"at":"0000-01-01T00:00:00+23:59"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e, again events.Transition
		if e.UnmarshalJSON(raw) != nil {
			return
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", e, err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !again.Equal(e) {
			t.Fatalf("read %+v, wrote %s, read %+v and %v", e, out, again, err)
		}
		if bytes.ContainsAny(out, "\n\r") {
			t.Fatalf("%s is more than one line", out)
		}
	})
}

// words is an error of a type that == cannot compare.
type words []string

func (w words) Error() string { return strings.Join(w, " ") }

func TestEqualComparesTimesAsInstantsAndErrorsByText(t *testing.T) {
	a, b := full, full
	a.Err, b.Err, b.At = words{"lost"}, words{"lost"}, full.At.UTC()
	if !a.Equal(b) || !full.Equal(full) {
		t.Error("the same event in other words is not equal")
	}
	for name, change := range map[string]func(*events.Transition){
		"text":     func(e *events.Transition) { e.Err = errors.New("other") },
		"no error": func(e *events.Transition) { e.Err = nil },
		"time":     func(e *events.Transition) { e.At = noon.Add(1) },
		"seq":      func(e *events.Transition) { e.Seq++ },
		"leader":   func(e *events.Transition) { e.Leader.Meta = "" },
		"missed":   func(e *events.Transition) { e.Missed++ },
	} {
		c := full
		change(&c)
		if full.Equal(c) || c.Equal(full) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
