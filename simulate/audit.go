package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// Audit reads a log of transitions, such as `tenure run --events json` writes, of any number of nodes mixed together,
// and checks on it what can be checked: see [Auditor]. The error is of reading, or names a line that is no event.
func Audit(r io.Reader) (AuditReport, error) {
	var a Auditor
	err := a.Read("", r)
	return a.Report(), err
}

// Auditor audits logs that belong together. The zero Auditor is ready for use; it belongs to one goroutine.
//
// The lines of one node must be in the order in which they were written; those of different nodes may be mixed, or
// follow each other. A node that numbers its events from the beginning again has been restarted.
//
// Checked are, of each node, the numbers of its events, that each move is one of the table and begins where the last
// one ended, and that each tenure begins once and ends once, under one term. Of all nodes together: that no two tenures
// have the same term, that terms rise, and that no two nodes lead at once. The latter two are told by the wall clocks
// of the hosts, and so with a tolerance and as a warning only. What is missing is listed and is no fault.
type Auditor struct {
	// Tolerance is by how much the wall clocks of hosts may differ. 0: 1 s.
	Tolerance time.Duration

	report  AuditReport
	file    string
	line    *auditLine
	nodes   map[string]*auditNode
	tenures map[string][]auditTenure // by key
	terms   map[auditTerm]int        // index of the tenure that has it
	places  map[string]int           // order of files
}

type auditTerm struct {
	key  string
	term lease.Term
}

// auditNode is what is known of one node after the lines read so far.
type auditNode struct {
	seq  uint64
	at   time.Time
	keys map[string]*auditElection
	last *auditElection
	key  string // of last
}

// auditElection is what is known of one election of one node.
type auditElection struct {
	state  fsm.State
	known  bool // the state is known
	seq    uint64
	term   lease.Term // the greatest under which the node has led, whatever became of its process
	tenure int        // index of the tenure that goes on, plus 1; 0: none
}

// auditTenure is a time of leading.
type auditTenure struct {
	file     string
	line     int
	node     string
	term     lease.Term
	from, to time.Time // to: the last sign of it
}

// maxAuditLine is the longest line that is read: an error's text with every byte escaped, and all else.
const maxAuditLine = 1 << 16

// Read audits one log. name stands in findings and errors; it may be empty. A line that is no event ends it with an
// error that has its number, unless it is the last and not whole: a process that dies may leave that behind.
func (a *Auditor) Read(name string, r io.Reader) error {
	if a.nodes == nil {
		a.nodes, a.tenures, a.terms = map[string]*auditNode{}, map[string][]auditTenure{}, map[auditTerm]int{}
		a.line, a.places = newAuditLine(), map[string]int{}
	}
	a.file, a.places[name] = name, len(a.places)
	in := bufio.NewReaderSize(r, maxAuditLine)
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("simulate: %s: longer than %d bytes; it is no event", place(name, number), maxAuditLine)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("simulate: %s: %w", place(name, number), err)
		}
		last := err != nil
		if len(line) > 0 {
			a.report.Lines++
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			t, err := a.line.read(line)
			switch {
			case err != nil && last:
				a.find(number, "cut", true, "the last line is not whole: %v", err)
			case err != nil:
				return fmt.Errorf("simulate: %s: %w", place(name, number), err)
			default:
				a.take(number, t)
			}
		}
		if last {
			return nil
		}
	}
}

func (a *Auditor) find(line int, rule string, warning bool, format string, args ...any) {
	a.report.Findings = append(a.report.Findings, Finding{
		File: a.file, Line: line, Rule: rule, Warning: warning, Text: fmt.Sprintf(format, args...),
	})
}

// take checks one event against what its node did before.
func (a *Auditor) take(line int, t events.Transition) {
	a.report.Events++
	if !t.At.IsZero() {
		if a.report.From.IsZero() || t.At.Before(a.report.From) {
			a.report.From = t.At
		}
		if t.At.After(a.report.To) {
			a.report.To = t.At
		}
	}
	n := a.nodes[t.Node]
	if n == nil {
		n = &auditNode{keys: map[string]*auditElection{}}
		a.nodes[t.Node] = n
		n.seq = t.Seq // a log may begin in the middle
		if t.Seq > 0 && !t.Snapshot {
			n.seq--
		}
	}
	if !a.numbered(line, n, t) {
		return
	}
	if !t.At.IsZero() {
		if !n.at.IsZero() && t.At.Before(n.at) {
			a.find(line, "clock", true, "the wall clock of %s went back by %v", t.Node, n.at.Sub(t.At))
		}
		n.at = t.At
	}
	if t.Key != "" {
		a.moved(line, n.election(t.Key), t)
	}
}

func (n *auditNode) election(key string) *auditElection {
	if n.last == nil || n.key != key {
		if n.keys[key] == nil {
			n.keys[key] = &auditElection{}
		}
		n.last, n.key = n.keys[key], key
	}
	return n.last
}

// numbered checks the number of an event and reports whether the event is to be looked at further.
func (a *Auditor) numbered(line int, n *auditNode, t events.Transition) bool {
	if t.Snapshot {
		a.snapshot(line, n, t)
		return true
	}
	if t.Seq == 1 && n.seq >= 1 && t.From == fsm.Follower {
		a.restarted(n)
	}
	switch {
	case t.Seq <= n.seq:
		a.find(line, "order", false, "event %d of %s after event %d; numbers must rise", t.Seq, t.Node, n.seq)
		return false
	case t.Seq > n.seq+1:
		a.missing(line, n, t.Node, n.seq, t.Seq-1)
	case t.Missed > 0:
		a.find(line, "gap", true, "%s says that %d events before this one were lost", t.Node, t.Missed)
		n.forget()
	}
	n.seq = t.Seq
	return true
}

// snapshot looks at the number of a snapshot: that of the last event of its key.
func (a *Auditor) snapshot(line int, n *auditNode, t events.Transition) {
	switch {
	case t.Key != "" && t.Seq < n.election(t.Key).seq:
		a.restarted(n)
		n.seq = t.Seq
	case t.Seq > n.seq:
		a.missing(line, n, t.Node, n.seq, t.Seq)
		n.seq = t.Seq
	}
}

// restarted takes note that the process of a node is another one. Its tenures ended with it.
func (a *Auditor) restarted(n *auditNode) {
	a.report.Restarts++
	n.seq, n.at = 0, time.Time{}
	for _, e := range n.keys {
		e.known, e.tenure, e.seq = false, 0, 0
	}
}

// missing notes that the events after one number, up to another, are not in the log.
func (a *Auditor) missing(line int, n *auditNode, name string, after, to uint64) {
	if to == after+1 {
		a.find(line, "gap", true, "event %d of %s is missing", to, name)
	} else {
		a.find(line, "gap", true, "events %d to %d of %s are missing", after+1, to, name)
	}
	n.forget()
}

// forget makes the states of a node unknown, and so the ends of its tenures.
func (n *auditNode) forget() {
	for _, e := range n.keys {
		e.known = false
	}
}

// moved checks an event of one election.
func (a *Auditor) moved(line int, e *auditElection, t events.Transition) {
	if t.Snapshot {
		if e.known && e.state != t.To {
			a.find(line, "order", false, "%s is %v in a snapshot; it was %v", t.Node, t.To, e.state)
		}
		e.enter(t.To)
		return
	}
	e.seq = t.Seq
	if e.known && e.state != t.From {
		a.find(line, "order", false, "%s leaves %v; it was %v", t.Node, t.From, e.state)
	}
	switch t.Kind {
	case events.Overrun:
		a.find(line, "R9", true, "the work of %s on %q goes on beyond its limit, term %d", t.Node, t.Key, t.Term)
		fallthrough
	case events.Observed:
		if t.From != t.To {
			a.find(line, "table", false, "%s moves from %v to %v in an event that is no move", t.Node, t.From, t.To)
		}
		e.enter(t.From)
		return
	}
	if legal[t.From][t.Reason] != t.To+1 {
		a.find(line, "table", false, "%s moves from %v to %v for %v; there is no such move", t.Node, t.From, t.To, t.Reason)
	}
	switch {
	case t.From == fsm.Leader && t.To != fsm.Leader:
		a.ended(line, e, t)
	case t.To == fsm.Leader && t.From != fsm.Leader:
		a.started(line, e, t)
	}
	e.enter(t.To)
}

func (e *auditElection) enter(s fsm.State) {
	e.state, e.known = s, true
	if s != fsm.Leader {
		e.tenure = 0
	}
}

func (a *Auditor) started(line int, e *auditElection, t events.Transition) {
	list := a.tenures[t.Key]
	if t.Term == 0 {
		a.find(line, "R4", false, "%s begins to lead %q without a term", t.Node, t.Key)
	}
	if at, taken := a.terms[auditTerm{t.Key, t.Term}]; taken && t.Term > 0 {
		a.find(line, "R4", false, "%s begins to lead %q under term %d, which %s had at %s", t.Node, t.Key, t.Term,
			list[at].node, place(list[at].file, list[at].line))
	} else if a.terms[auditTerm{t.Key, t.Term}] = len(list); t.Term < e.term {
		a.find(line, "R4", false, "%s begins to lead %q under term %d after it led under term %d", t.Node, t.Key,
			t.Term, e.term)
	}
	e.term = max(e.term, t.Term)
	a.report.Tenures++
	a.tenures[t.Key] = append(list, auditTenure{a.file, line, t.Node, t.Term, t.At, t.At})
	e.tenure = len(list) + 1
}

func (a *Auditor) ended(line int, e *auditElection, t events.Transition) {
	if e.tenure == 0 { // it began before the log, or in a gap of it
		return
	}
	began := &a.tenures[t.Key][e.tenure-1]
	if began.term != t.Term {
		a.find(line, "R4", false, "%s ends term %d of %q; it began term %d at %s", t.Node, t.Term, t.Key, began.term,
			place(began.file, began.line))
	}
	began.to = t.At
}

func place(file string, line int) string {
	if file == "" {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", file, line)
}
