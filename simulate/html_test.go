package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// Nothing here needs a browser: what is drawn is written by Go, and the script in the page only adds hovering.

func mustPlay(t *testing.T, script string) *Trace {
	t.Helper()
	s, err := Parse(strings.NewReader(firstLine + "\n" + script))
	if err != nil {
		t.Fatal(err)
	}
	trace, err := Play(s)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func pageOf(t *testing.T, trace, original *Trace) string {
	t.Helper()
	var b bytes.Buffer
	if err := trace.HTML(&b, original); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const story = "nodes 3\nttl 15s\nheal 60s\nend 72s\n" +
	"cut n0 at 12s for 9s\npause leader at 31s for 20s\nresign leader at 55s\n"

const twoLead = "nodes 3\nttl 15s\nearly at 20s by 14s\n"

func TestThePageShowsStatesDeadlinesLeasesRequestsAndFaults(t *testing.T) {
	trace := mustPlay(t, story+"late-answer n2 #3 by 4s\ncrash n0 at 40s for 5s\n")
	page := pageOf(t, trace, nil)
	for what, want := range map[string]string{
		"a lane for the last node": ">n2</text>", "a lane for the store": ">store</text>",
		"a follower": "<rect class=follower", "an acquirer": "<rect class=acquiring", "a leader": "<rect class=leader",
		"a node that winds down": "<rect class=releasing", "a pause": "<rect class=paused", "a term": ">term 2</text>",
		"what a leader believes": "<path class=band", "a deadline that passed": "<path class=until",
		"a lease": "<path class=lease", "the holder of a lease": ">term 1 · n1</text>", "a fault": ">cut</text>",
		"a granted request": `class="a g"`, "a refused request": `class="a r"`, "a late answer": `class="a r late"`,
		"a lost request": `class="a lost"`, "an accepted write": "<path class=wrote",
		"a refused write":       "<path class=barred d",
		"a death":               ">✕</text>",
		"the end of all faults": "all faults over", "the script": "pause leader at 31s for 20s",
		"the token": trace.Scenario.Token(), "the verdict": "No rule is broken",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s: %q", what, want)
		}
	}
}

func TestThePageOfAViolationNamesItAndLeadsToIt(t *testing.T) {
	small, original := mustPlay(t, twoLead), mustPlay(t, "nodes 3\nttl 15s\ncut n0 at 3s for 2s\nearly at 20s by 14s\n")
	page := pageOf(t, small, original)
	for _, want := range []string{
		"<b>R1</b> is violated, outside of the promise", `<a href="#violation">`, "id=violation", "<path class=violation",
		"Shrunk to what is needed", "The schedule it was found in", "<title>tenure: R1 is violated</title>", ">cut</text>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Count(page, "id=violation") != 1 {
		t.Error("there is more than one first violation")
	}
}

func TestEveryKindOfEntryIsToldAndWhatIsHoveredOverIsFound(t *testing.T) {
	trace := &Trace{Scenario: Scenario{Nodes: 2}.complete()}
	for k := Started; k <= Violated; k++ {
		trace.Entries = append(trace.Entries, Entry{
			At: time.Duration(k+1) * time.Second, Kind: k, Node: 0, Op: fsm.Acquire, Answer: fsm.Granted, To: fsm.Leader,
			Reason: fsm.Won, Term: 1, Call: 1, Until: int64(30 * time.Second), Expires: int64(30 * time.Second), Text: "the end",
			Fault: Fault{Kind: Pause, For: time.Second},
		})
	}
	page := pageOf(t, trace, nil)
	for i, e := range trace.Entries {
		if want := strings.TrimSpace(e.String()); !strings.Contains(page, strings.ReplaceAll(want, ">", "&gt;")) {
			t.Errorf("the page does not say %q", want)
		}
		item, row := fmt.Sprintf("<li id=e%d>", i), fmt.Sprintf("data-row=e%d ", i)
		if !strings.Contains(page, item) || !strings.Contains(page, row) {
			t.Errorf("entry %d of kind %d is not listed, or is no step", i, e.Kind)
		}
	}
	for _, ref := range regexp.MustCompile(`data-e="?((?:[eo]\d+ ?)+)`).FindAllStringSubmatch(page, -1) {
		for _, id := range strings.Fields(ref[1]) {
			if !strings.Contains(page, "<li id="+id+">") {
				t.Errorf("%q is referred to and not there", id)
			}
		}
	}
}

func TestAHostileTextStaysText(t *testing.T) {
	const hostile = `</script><script>alert("x")</script><img src=x onerror=alert(1)>`
	trace := mustPlay(t, twoLead)
	trace.Violation.Text, trace.Violation.Rule = hostile, hostile
	trace.Entries[len(trace.Entries)-1].Text = hostile
	page := pageOf(t, trace, trace)
	if strings.Contains(page, "<img") || strings.Count(page, "<script>") != 1 || strings.Count(page, "</script>") != 1 {
		t.Error("a text has become markup")
	}
	if diagram := trace.Mermaid(); strings.Contains(diagram, "<") || !strings.Contains(diagram, "#lt;script") {
		t.Error("a text has become markup of the diagram")
	}
}

func TestThePageLoadsNothingAndIsSmallAndTheSameEveryTime(t *testing.T) {
	for _, c := range []struct {
		name     string
		scenario Scenario
	}{
		{"three nodes", Scenario{}},
		{"five nodes", Plan(Scenario{Nodes: 5}, 7)},
		{"as many nodes as can be", Plan(Scenario{Nodes: MaxNodes}, 7)},
		{"an hour", Scenario{Nodes: MaxNodes, Heal: time.Hour, End: time.Hour + time.Minute}},
	} {
		trace, err := Play(c.scenario)
		if err != nil {
			t.Fatal(err)
		}
		page := pageOf(t, trace, trace)
		if len(page) > 300_000 {
			t.Errorf("%s: the page has %d bytes", c.name, len(page))
		}
		if page != pageOf(t, trace, trace) {
			t.Errorf("%s: the page differs from one time to the next", c.name)
		}
		if m := regexp.MustCompile(`(?i)https?://|src=|@import|url\((?:[^#]|$)`).FindString(page); m != "" {
			t.Errorf("%s: the page refers to something outside: %q", c.name, m)
		}
		for _, tag := range []string{"svg", "section", "text", "details", "ol"} {
			opened := len(regexp.MustCompile(`<`+tag+`[ >]`).FindAllString(page, -1))
			if closed := strings.Count(page, "</"+tag+">"); opened != closed {
				t.Errorf("%s: %d <%s> and %d </%s>", c.name, opened, tag, closed, tag)
			}
		}
		if m := regexp.MustCompile(`NaN|Inf|width=-|%!`).FindString(page); m != "" {
			t.Errorf("%s: the page has %q in it", c.name, m)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("the disk is full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestAWriterThatFailsIsReported(t *testing.T) {
	trace := mustPlay(t, twoLead)
	if err := trace.HTML(brokenWriter{}, nil); !errors.Is(err, errBroken) {
		t.Errorf("HTML: %v", err)
	}
	if err := trace.Perfetto(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("Perfetto: %v", err)
	}
}

func TestAnAnswerBearsTheNumberOfItsRequestAlsoAfterARestart(t *testing.T) {
	for _, store := range []string{"expiring", "register"} {
		trace := mustPlay(t, "nodes 1\nttl 15s\nstore "+store+"\ncrash n0 at 20s for 20s\n")
		answered := 0
		for _, x := range exchanges(trace.Entries) {
			if x.answered < 0 {
				continue
			}
			answered++
			// What is only read from a register leaves no trace there.
			if x.asked < 0 || x.carried < 0 && (store != "register" || trace.Entries[x.answered].Answer == fsm.Granted) {
				t.Errorf("%s: %s: an answer without its request", store, trace.Entries[x.answered])
			}
		}
		if answered < 10 {
			t.Errorf("%s: %d answers", store, answered)
		}
	}
}

// The leader stands still beyond its lease; another leads and writes; then the work of the first goes on.
func TestTheFenceRefusesAWriteOfALeaderThatStoodStillTooLong(t *testing.T) {
	trace := mustPlay(t, story)
	var writes []string
	for _, e := range trace.Entries {
		if e.Kind == Wrote || e.Kind == Barred {
			writes = append(writes, e.words())
		}
	}
	want := []string{
		"n1 writes under term 1: accepted", "n2 writes under term 2: accepted", "n1 writes under term 1: refused",
		"n0 writes under term 3: accepted",
	}
	if !slices.Equal(writes, want) || trace.Violation.Rule != "" {
		t.Errorf("%q, %s", writes, trace.Violation)
	}
}

func TestARenewedDeadlineStandsInTheAnswerThatMovedIt(t *testing.T) {
	trace := mustPlay(t, "nodes 1\nttl 15s\n")
	renewals := 0
	for _, e := range trace.Entries {
		if e.Kind != Answered || e.Op != fsm.Renew {
			continue
		}
		renewals++
		if left := time.Duration(e.Until) - e.At; left < 11*time.Second || left > 12*time.Second {
			t.Errorf("%s: the node believes in %v", e, left)
		}
	}
	if renewals < 10 {
		t.Errorf("%d renewals", renewals)
	}
}

func TestASequenceDiagramHasALineForEachEntry(t *testing.T) {
	trace := mustPlay(t, "nodes 2\nttl 15s\ncut-there n1 at 3s for 5s\nlose-answer n0 #3\nheal 12s\nend 14s\n")
	diagram := trace.Mermaid()
	lines := strings.Split(strings.TrimSpace(diagram), "\n")
	if lines[0] != "sequenceDiagram" || len(lines) > 4+mermaidMost {
		t.Fatalf("%d lines:\n%s", len(lines), diagram)
	}
	form := regexp.MustCompile(`^    (participant \w+|Note over [\w,]+: .+|\w+(->>|-->>|-x|--x)\w+: .+)$`)
	for _, line := range lines[1:] {
		if !form.MatchString(line) {
			t.Errorf("%q is no line of a sequence diagram", line)
		}
	}
	for _, want := range []string{
		"n0->>store: acquire (1)", "store-->>n0: acquire", "n1-xstore", "store--xn0",
		"Note over n0,store: 12.000s all faults are over",
	} {
		if !strings.Contains(diagram, want) {
			t.Errorf("the diagram lacks %q\n%s", want, diagram)
		}
	}
}

func TestPerfettoGetsATrackForEachNodeAndTheStore(t *testing.T) {
	trace := mustPlay(t, story)
	var b bytes.Buffer
	if err := trace.Perfetto(&b); err != nil {
		t.Fatal(err)
	}
	var read struct{ TraceEvents []perfettoEvent }
	if err := json.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	phases, tracks := map[string]int{}, map[any]bool{}
	leading := 0.0
	for _, e := range read.TraceEvents {
		phases[e.Phase]++
		if e.Name == "thread_name" {
			tracks[e.Args["name"]] = true
		}
		if e.Phase == "X" && e.Wide < 0 {
			t.Errorf("%+v lasts for less than nothing", e)
		}
		if e.Name == "leader" {
			leading += e.Wide
		}
	}
	if phases["i"] != len(trace.Entries) || phases["s"] == 0 || phases["s"] != phases["t"] || phases["f"] > phases["s"] {
		t.Errorf("%v events of %d entries", phases, len(trace.Entries))
	}
	for _, name := range []string{"n0", "n1", "n2", "store"} {
		if !tracks[name] {
			t.Errorf("there is no track %s", name)
		}
	}
	if leading < 50e6 || leading > 80e6 {
		t.Errorf("somebody leads for %v µs of 72 s", leading)
	}
}

func TestAFailureIsReportedWithAPictureBesideTheKeptScript(t *testing.T) {
	original, err := Parse(strings.NewReader(firstLine + "\nnodes 3\nttl 15s\ncut n0 at 3s for 2s\nearly at 20s by 14s\n"))
	if err != nil {
		t.Fatal(err)
	}
	small, _ := Shrink(original)
	dir := t.TempDir()
	text := report(small, original, filepath.Join(dir, "r1-0.scenario"))
	picture := filepath.Join(dir, "r1-0.html")
	if !strings.Contains(text, "picture: "+picture+"\n") {
		t.Errorf("the report does not name %s:\n%s", picture, text)
	}
	page, err := os.ReadFile(picture)
	if err != nil || !strings.Contains(string(page), "The schedule it was found in") {
		t.Errorf("the picture: %v, %d bytes", err, len(page))
	}
	text = report(small, original, filepath.Join(dir, "nowhere", "x.scenario"))
	if !strings.Contains(text, "picture: not to be had") {
		t.Errorf("a picture that cannot be written is not mentioned:\n%s", text)
	}
}
