package simulate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// mermaidMost is how many entries a sequence diagram shows: more than that nobody reads, nor do renderers draw it.
const mermaidMost = 80

// Mermaid returns the last entries, up to the violation if there is one, as a sequence diagram to paste into an issue.
func (t *Trace) Mermaid() string {
	all := t.shown()
	for i, e := range all {
		if e.Kind == Violated {
			all = all[:i+1]
			break
		}
	}
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	for i := range t.Scenario.Nodes {
		fmt.Fprintf(&b, "    participant n%d\n", i)
	}
	b.WriteString("    participant store\n")
	for _, e := range all[max(0, len(all)-mermaidMost):] {
		fmt.Fprintf(&b, "    %s\n", e.mermaid())
	}
	return b.String()
}

// mermaid is the entry as one line of a sequence diagram.
func (e Entry) mermaid() string {
	node, over := fmt.Sprintf("n%d", e.Node), fmt.Sprintf("n%d", e.Node)
	text := e.words()
	switch e.Kind {
	case Asked:
		return fmt.Sprintf("%s->>store: %s", node, mermaidText(fmt.Sprintf("%v (%d)", e.Op, e.Call)))
	case CarriedOut:
		over = "store"
	case Answered:
		return fmt.Sprintf("store-->>%s: %s", node, mermaidText(fmt.Sprintf("%v %v (%d)", e.Op, e.Answer, e.Call)))
	case LostThere:
		return fmt.Sprintf("%s-xstore: %s", node, mermaidText(fmt.Sprintf("%v (%d) is lost", e.Op, e.Call)))
	case LostBack:
		return fmt.Sprintf("store--x%s: %s", node, mermaidText(fmt.Sprintf("the answer to %v (%d) is lost", e.Op, e.Call)))
	case FaultBegan, FaultOver:
		if shapes[e.Fault.Kind].store {
			over = "store"
		}
	case Healed, Violated:
		over = "n0,store"
	}
	return fmt.Sprintf("Note over %s: %s", over, mermaidText(fmt.Sprintf("%.3fs %s", e.At.Seconds(), text)))
}

// words is the entry without its time.
func (e Entry) words() string {
	_, words, _ := strings.Cut(strings.TrimSpace(e.String()), "s  ")
	return words
}

// mermaidText writes what has a meaning to Mermaid in its own way of escaping.
func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", ";", "#59;", "\n", " ", "\r", " ", "<", "#lt;").Replace(s)
}

// perfettoEvent is one event of the trace event format that Perfetto and chrome://tracing read; times in microseconds.
type perfettoEvent struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	Time  float64        `json:"ts"`
	Wide  float64        `json:"dur,omitempty"`
	Pid   int            `json:"pid"`
	Tid   int            `json:"tid"`
	ID    int            `json:"id,omitempty"`
	Scope string         `json:"s,omitempty"`
	Bind  string         `json:"bp,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// Perfetto writes all of the trace in the trace event format, which https://ui.perfetto.dev and chrome://tracing open:
// a track for each node with its states and for the store with its leases, everything else as instants, requests and
// answers as flows. The error is that of w.
func (t *Trace) Perfetto(w io.Writer) error {
	events := []perfettoEvent{{Name: "process_name", Phase: "M", Pid: 1, Args: map[string]any{"name": "tenure"}}}
	for i := range t.Scenario.Nodes {
		events = append(events, trackName(i+1, fmt.Sprintf("n%d", i)))
		events = append(events, t.stateSlices(int8(i))...)
	}
	store := t.Scenario.Nodes + 1
	events = append(events, trackName(store, "store"))
	events = append(events, t.leaseSlices(store)...)
	for _, e := range t.Entries {
		tid := int(e.Node) + 1
		if e.Kind == CarriedOut || e.Node < 0 || e.Kind == FaultBegan && shapes[e.Fault.Kind].store {
			tid = store
		}
		events = append(events, perfettoEvent{Name: e.words(), Phase: "i", Time: micros(e.At), Pid: 1, Tid: tid, Scope: "t"})
	}
	for id, x := range exchanges(t.Entries) {
		if x.asked < 0 || x.carried < 0 {
			continue
		}
		flow := func(phase string, entry, tid int) {
			events = append(events, perfettoEvent{
				Name: "request", Phase: phase, Time: micros(t.Entries[entry].At), Pid: 1, Tid: tid, ID: id + 1, Bind: "e",
			})
		}
		flow("s", x.asked, int(x.node)+1)
		flow("t", x.carried, store)
		if x.answered >= 0 {
			flow("f", x.answered, int(x.node)+1)
		}
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

func trackName(tid int, name string) perfettoEvent {
	return perfettoEvent{Name: "thread_name", Phase: "M", Pid: 1, Tid: tid, Args: map[string]any{"name": name}}
}

// over is when the last thing happened.
func (t *Trace) over() time.Duration {
	if v := t.Violation; v.Rule != "" {
		return v.At
	}
	return t.Scenario.End
}

func (t *Trace) stateSlices(node int8) (slices []perfettoEvent) {
	name, since := "", time.Duration(0)
	turn := func(at time.Duration, next string) {
		if name != "" && at > since {
			slices = append(slices, perfettoEvent{
				Name: name, Phase: "X", Time: micros(since), Wide: micros(at - since), Pid: 1, Tid: int(node) + 1,
			})
		}
		name, since = next, at
	}
	for _, e := range t.Entries {
		if e.Node != node {
			continue
		}
		switch e.Kind {
		case Started:
			turn(e.At, "follower")
		case Moved:
			turn(e.At, e.To.String())
		case Crashed, Ended:
			turn(e.At, "")
		}
	}
	turn(t.over(), "")
	return slices
}

func (t *Trace) leaseSlices(tid int) (slices []perfettoEvent) {
	now, since := holding{holder: -1}, time.Duration(0)
	turn := func(at time.Duration) {
		if at = min(at, now.expires); now.holder != -1 && at > since {
			slices = append(slices, perfettoEvent{
				Name: fmt.Sprintf("term %d of n%d", now.term, now.holder), Phase: "X", Time: micros(since),
				Wide: micros(at - since), Pid: 1, Tid: tid,
			})
		}
	}
	for _, e := range t.Entries {
		next, tells := now.after(e, t.Scenario.Timing.TTL)
		if tells && (next.holder != now.holder || next.term != now.term) {
			turn(e.At)
			since = e.At
		}
		now = next
	}
	turn(t.over())
	return slices
}
