package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// diary writes the events of nodes as a log.
type diary struct {
	t    *testing.T
	b    strings.Builder
	seq  map[string]uint64
	base time.Time
}

func newDiary(t *testing.T) *diary {
	return &diary{t: t, seq: map[string]uint64{}, base: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (d *diary) write(e events.Transition) {
	d.t.Helper()
	line, err := json.Marshal(e)
	if err != nil {
		d.t.Fatal(err)
	}
	d.b.Write(append(line, '\n'))
}

// move writes one move of a node, at seconds after noon.
func (d *diary) move(node string, seconds float64, from fsm.State, r fsm.Reason, to fsm.State, term lease.Term) {
	d.t.Helper()
	d.seq[node]++
	d.write(events.Transition{
		Seq: d.seq[node], Node: node, Key: "k", From: from, Reason: r, To: to, Term: term,
		At: d.base.Add(time.Duration(seconds * float64(time.Second))),
	})
}

func (d *diary) win(node string, at float64, term lease.Term) {
	d.move(node, at-0.1, fsm.Follower, fsm.Due, fsm.Acquiring, 0)
	d.move(node, at, fsm.Acquiring, fsm.Won, fsm.Leader, term)
}

func (d *diary) end(node string, at float64, term lease.Term) {
	d.move(node, at, fsm.Leader, fsm.Expired, fsm.Releasing, term)
	d.move(node, at+0.1, fsm.Releasing, fsm.Released, fsm.Follower, term)
}

func (d *diary) audit() AuditReport {
	d.t.Helper()
	r, err := Audit(strings.NewReader(d.b.String()))
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func TestALogInWhichAllIsWellHasNoFindings(t *testing.T) {
	d := newDiary(t)
	d.win("a", 1, 1)
	d.end("a", 10, 1)
	d.win("b", 11, 2)
	d.seq["b"] = 0 // it dies and starts again
	d.write(events.Transition{Node: "b", Key: "k", Snapshot: true})
	d.win("b", 30, 3)
	d.end("b", 40, 3)
	d.seq["b"] = 0 // again, and without a snapshot
	d.win("b", 50, 4)
	r := d.audit()
	if len(r.Findings) != 0 || r.Tenures != 4 || r.Restarts != 2 || r.Nodes != 2 || r.Keys != 1 || r.Events != 13 {
		t.Errorf("%+v", r)
	}
}

func TestAnAuditFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name  string
		story func(d *diary)
		want  string // the findings, without the last line
	}{
		{"a term that two had", func(d *diary) {
			d.win("a", 1, 7)
			d.end("a", 2, 7)
			d.win("b", 3, 7)
		}, "line 6: R4: b begins to lead \"k\" under term 7, which a had at line 2"},
		{"a term that one had twice", func(d *diary) {
			d.win("a", 1, 7)
			d.end("a", 2, 7)
			d.win("a", 3, 7)
		}, "line 6: R4: a begins to lead \"k\" under term 7, which a had at line 2"},
		{"a term that fell", func(d *diary) {
			d.win("a", 1, 7)
			d.end("a", 2, 7)
			d.win("a", 3, 6)
		}, "line 6: R4: a begins to lead \"k\" under term 6 after it led under term 7"},
		{"a term that fell after a restart", func(d *diary) {
			d.win("a", 1, 7)
			d.seq["a"] = 0
			d.win("a", 30, 6)
		}, "line 4: R4: a begins to lead \"k\" under term 6 after it led under term 7"},
		{"a term that fell from node to node", func(d *diary) {
			d.win("a", 1, 7)
			d.end("a", 2, 7)
			d.win("b", 30, 6)
		}, "line 6: warning: R4: b begins to lead \"k\" under term 6, 29s by their clocks after term 7 of a (line 2)"},
		{"no term", func(d *diary) { d.win("a", 1, 0) }, "line 2: R4: a begins to lead \"k\" without a term"},
		{"another term at the end", func(d *diary) {
			d.win("a", 1, 7)
			d.end("a", 2, 8)
		}, "line 3: R4: a ends term 8 of \"k\"; it began term 7 at line 2"},
		{"two that lead at once", func(d *diary) {
			d.win("a", 1, 1)
			d.win("b", 5, 2)
			d.end("a", 9, 1)
		}, "line 4: warning: R1: b begins to lead \"k\" under term 2 while a leads under term 1 (line 2), for 4s" +
			" by their clocks"},
		{"a move that does not exist", func(d *diary) {
			d.move("a", 1, fsm.Follower, fsm.Won, fsm.Acquiring, 0)
		}, "line 1: table: a moves from follower to acquiring for won; there is no such move"},
		{"two beginnings without an end", func(d *diary) {
			d.win("a", 1, 1)
			d.win("a", 2, 2)
		}, "line 3: order: a leaves follower; it was leader"},
		{"two ends", func(d *diary) {
			d.win("a", 1, 1)
			d.end("a", 2, 1)
			d.move("a", 3, fsm.Leader, fsm.Lost, fsm.Releasing, 1)
		}, "line 5: order: a leaves leader; it was follower"},
		{"a number that comes twice", func(d *diary) {
			d.win("a", 1, 1)
			d.seq["a"] = 1
			d.move("a", 2, fsm.Leader, fsm.Lost, fsm.Releasing, 1)
		}, "line 3: order: event 2 of a after event 2; numbers must rise"},
		{"events that are missing", func(d *diary) {
			d.win("a", 1, 1)
			d.seq["a"] += 2
			d.win("a", 5, 2)
			d.seq["a"]++
			d.win("a", 9, 3)
		}, "line 3: warning: gap: events 3 to 4 of a are missing\nline 5: warning: gap: event 7 of a is missing"},
		{"events that were lost", func(d *diary) {
			d.win("a", 1, 1)
			d.write(events.Transition{Seq: 3, Node: "a", Key: "k", Reason: fsm.Due, To: fsm.Acquiring, Missed: 9})
		}, "line 3: warning: gap: a says that 9 events before this one were lost"},
		{"work that overran", func(d *diary) {
			d.win("a", 1, 1)
			d.move("a", 2, fsm.Leader, fsm.Lost, fsm.Releasing, 1)
			d.write(events.Transition{
				Seq: 4, Kind: events.Overrun, Node: "a", Key: "k", From: fsm.Releasing, To: fsm.Releasing, Reason: fsm.Lost,
				Term: 1,
			})
		}, "line 4: warning: R9: the work of a on \"k\" goes on beyond its limit, term 1"},
		{"a move in news", func(d *diary) {
			d.write(events.Transition{Seq: 1, Kind: events.Observed, Node: "a", Key: "k", To: fsm.Leader})
		}, "line 1: table: a moves from follower to leader in an event that is no move"},
		{"a clock that went back", func(d *diary) {
			d.win("a", 9, 1)
			d.end("a", 3, 1)
		}, "line 3: warning: clock: the wall clock of a went back by 6s"},
		{"a snapshot that does not fit", func(d *diary) {
			d.win("a", 1, 1)
			d.write(events.Transition{Seq: 2, Node: "a", Key: "k", Snapshot: true})
		}, "line 3: order: a is follower in a snapshot; it was leader"},
		{"a log that was cut off", func(d *diary) {
			d.win("a", 1, 1)
			d.b.WriteString(`{"v":1,"seq":3,"kind":"mo`)
		}, "line 3: warning: cut: the last line is not whole: events: not an event: unexpected end of JSON input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDiary(t)
			c.story(d)
			r := d.audit()
			text := r.String()
			if got, _, _ := strings.Cut(text, fmt.Sprintf("\n%d events", r.Events)); got != c.want {
				t.Errorf("found:\n%swant:\n%s", text, c.want)
			}
			if strings.Contains(c.want, "warning") != (r.Faults() == 0) {
				t.Errorf("%d faults", r.Faults())
			}
		})
	}
}

func TestClocksThatDifferWithinTheToleranceAreNoFinding(t *testing.T) {
	d := newDiary(t)
	d.win("a", 1, 1)
	d.win("b", 4.5, 2)
	d.end("a", 5, 1)
	d.end("b", 9, 2)
	d.win("c", 8.7, 3)
	if r := d.audit(); len(r.Findings) != 0 {
		t.Errorf("found:\n%s", r)
	}
	a := Auditor{Tolerance: 400 * time.Millisecond}
	if err := a.Read("log", strings.NewReader(d.b.String())); err != nil {
		t.Fatal(err)
	}
	r := a.Report()
	if len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].String(), "log:4: warning: R1: b begins") {
		t.Errorf("found:\n%s", r)
	}
}

func TestLogsOfSeveralFilesAreAuditedTogether(t *testing.T) {
	one, two := newDiary(t), newDiary(t)
	one.win("a", 1, 1)
	one.end("a", 9, 1)
	two.win("b", 5, 2)
	two.end("b", 7, 2)
	var a Auditor
	for name, d := range map[string]*diary{"one": one, "two": two} {
		if err := a.Read(name, strings.NewReader(d.b.String())); err != nil {
			t.Fatal(err)
		}
	}
	r := a.Report()
	if len(r.Findings) != 1 || r.Findings[0].String() != `two:2: warning: R1: b begins to lead "k" under term 2`+
		` while a leads under term 1 (one:2), for 4s by their clocks` {
		t.Errorf("found:\n%s", r)
	}
	if again := a.Report(); again.String() != r.String() {
		t.Errorf("a second report differs:\n%s", again)
	}
}

func TestALineThatIsNoEventIsNamed(t *testing.T) {
	const fine = `{"v":1,"seq":1,"kind":"moved","node":"a","key":"k",` +
		`"from":"follower","to":"acquiring","reason":"due"}` + "\n"
	for text, want := range map[string]string{
		fine + "hello\n":  "simulate: line 2: events: not an event: invalid character 'h'",
		fine + "\n\n{}\n": `simulate: line 4: events: not an event: it has no field "v"`,
		strings.Replace(fine, `"v":1`, `"v":2`, 1):     "simulate: line 1: events: the event has schema version 2",
		strings.Replace(fine, "follower", "lead", 1):   `line 1: events: event 1: fsm.State has no value "lead"`,
		strings.Replace(fine, `:"k"`, `:"\u0001"`, 1):  "line 1: events: event 1: lease: key",
		fine + strings.Repeat("x", maxAuditLine) + "y": "simulate: line 2: longer than 65536 bytes; it is no event",
	} {
		r, err := Audit(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v\nwant %s", text, err, want)
		}
		if strings.HasPrefix(text, fine) && r.Events != 1 {
			t.Errorf("%.60q: %d events were read before it", text, r.Events)
		}
	}
	if _, err := Audit(io.MultiReader(strings.NewReader(fine), brokenReader{})); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
	if r, err := Audit(strings.NewReader("")); err != nil || r.Events != 0 || len(r.Findings) != 0 {
		t.Errorf("an empty log: %+v, %v", r, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// What the quick reader takes it must read as encoding/json does.
func FuzzAuditLine(f *testing.F) {
	for _, e := range []events.Transition{
		{Seq: 1, Node: "a", Key: "k", Reason: fsm.Due, To: fsm.Acquiring, At: time.Unix(1e9, 5).UTC()},
		{Kind: events.Observed, Key: "k", Leader: lease.Holder{Name: "b", Incarnation: "i", Meta: "m"}, Term: 1 << 63},
		{Key: "k", Snapshot: true, Missed: 3, Err: errBroken},
	} {
		line, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"v":1,"v":1,"kind":"moved","from":"follower","to":"leader","reason":"won"}`))
	f.Add([]byte(`{"v":1,"kind":"moved","from":"leader","to":"leader","reason":"won","at":"2026-01-01T00:00:00+01:00"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		l := newAuditLine()
		quick, ok := l.quick(line)
		if !ok {
			return
		}
		var slow events.Transition
		if err := slow.UnmarshalJSON(line); err != nil {
			t.Fatalf("%q is taken; encoding/json says %v", line, err)
		}
		if slow.Leader, slow.Err = (lease.Holder{}), nil; !quick.Equal(slow) {
			t.Errorf("%q is read as\n%+v, not\n%+v", line, quick, slow)
		}
	})
}

func TestWhatIsWrittenIsReadQuickly(t *testing.T) {
	line, err := json.Marshal(events.Transition{
		Seq: 12, Kind: events.Observed, Node: "a", Key: "k", Leader: lease.Holder{Name: "b", Incarnation: "i", Meta: "pid=1"},
		Term: 3, At: time.Now(), Missed: 1, Err: errBroken,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := newAuditLine().quick(line); !ok {
		t.Errorf("%s is left to encoding/json", line)
	}
}

func BenchmarkAudit(b *testing.B) {
	d := diary{t: &testing.T{}, seq: map[string]uint64{}, base: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for i := range 25_000 {
		node := fmt.Sprintf("node-%d", i%5)
		d.win(node, float64(i), lease.Term(i+1))
		d.end(node, float64(i)+0.5, lease.Term(i+1))
	}
	log := d.b.String()
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if r, err := Audit(strings.NewReader(log)); err != nil || len(r.Findings) > 0 || r.Events != 100_000 {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
