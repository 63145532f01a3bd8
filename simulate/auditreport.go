package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Finding is something that an audit found in a log.
type Finding struct {
	File string // the name given to Read
	Line int    // from 1 on
	// Rule is what is broken: "R4" (terms), "R1" (two leaders at once), "table" (a move that does not exist), "order"
	// (events of one node out of order); or what is worth knowing: "R9" (work that overran), "gap" (events that are
	// missing), "clock" (a wall clock that went back), "cut" (a last line that is not whole).
	Rule string
	// Warning: it is worth knowing and proves no fault, because it rests on wall clocks or on events that are not there.
	Warning bool
	Text    string
}

// String returns the finding as one line.
func (f Finding) String() string {
	s := fmt.Sprintf("line %d: ", f.Line)
	if f.File != "" {
		s = fmt.Sprintf("%s:%d: ", f.File, f.Line)
	}
	if f.Warning {
		s += "warning: "
	}
	return s + f.Rule + ": " + f.Text
}

// AuditReport is what an audit has read and found.
type AuditReport struct {
	Lines    int // with empty ones
	Events   int
	Nodes    int
	Keys     int
	Tenures  int // how often somebody began to lead
	Restarts int // how often a node was seen to have started again
	From, To time.Time
	Findings []Finding // in the order of files and lines
}

// Faults is how many findings are no warnings.
func (r AuditReport) Faults() int {
	n := 0
	for _, f := range r.Findings {
		if !f.Warning {
			n++
		}
	}
	return n
}

// String returns the findings, a line each, and a last line that says what was read.
func (r AuditReport) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	fmt.Fprintf(&b, "%d events, nodes %d, keys %d", r.Events, r.Nodes, r.Keys)
	if !r.From.IsZero() {
		fmt.Fprintf(&b, ", %v to %v", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "; tenures %d, restarts %d, faults %d, warnings %d\n", r.Tenures, r.Restarts, r.Faults(),
		len(r.Findings)-r.Faults())
	return b.String()
}

// Report returns what was read and found so far, with what only shows when all nodes are looked at together.
func (a *Auditor) Report() AuditReport {
	r := a.report
	r.Nodes, r.Keys = len(a.nodes), 0
	keys := map[string]bool{}
	for _, n := range a.nodes {
		for key := range n.keys {
			keys[key] = true
		}
	}
	r.Keys = len(keys)
	r.Findings = slices.Clone(r.Findings)
	for key, list := range a.tenures {
		r.Findings = append(r.Findings, a.together(key, list)...)
	}
	slices.SortStableFunc(r.Findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(a.places[x.File], a.places[y.File]), cmp.Compare(x.Line, y.Line),
			cmp.Compare(x.Rule, y.Rule))
	})
	return r
}

// together looks at all tenures of one key in the order of the wall clocks.
func (a *Auditor) together(key string, list []auditTenure) (found []Finding) {
	tolerance := cmp.Or(a.Tolerance, time.Second)
	list = slices.DeleteFunc(slices.Clone(list), func(x auditTenure) bool { return x.from.IsZero() })
	slices.SortStableFunc(list, func(x, y auditTenure) int { return x.from.Compare(y.from) })
	if len(list) == 0 {
		return nil
	}
	longest := list[0]  // of those before, the one that ended last
	greatest := list[0] // and the one with the greatest term
	for _, x := range list[1:] {
		warn := func(rule, format string, args ...any) {
			found = append(found, Finding{x.file, x.line, rule, true, fmt.Sprintf(format, args...)})
		}
		if both := longest.to.Sub(x.from); both > tolerance && longest.node != x.node {
			warn("R1", "%s begins to lead %q under term %d while %s leads under term %d (%s), for %v by their clocks",
				x.node, key, x.term, longest.node, longest.term, place(longest.file, longest.line), both)
		}
		if x.term < greatest.term && x.node != greatest.node && x.from.Sub(greatest.from) > tolerance {
			warn("R4", "%s begins to lead %q under term %d, %v by their clocks after term %d of %s (%s)", x.node, key,
				x.term, x.from.Sub(greatest.from), greatest.term, greatest.node, place(greatest.file, greatest.line))
		}
		if x.to.After(longest.to) {
			longest = x
		}
		if x.term > greatest.term {
			greatest = x
		}
	}
	return found
}
