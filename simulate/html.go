package simulate

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// page is the frame of an HTML file: its style, its script and two places to fill.
//
//go:embed page.html
var page string

// mostShown is how many entries of one trace an HTML file tells in full, so that it stays below 300 KB. Of a longer
// trace it tells those before the end.
const mostShown = 800

// mostDrawn is how many entries the lanes are drawn from.
const mostDrawn = 1600

// HTML writes the trace as one file that any browser opens, with nothing to load from elsewhere: a lane for each node
// and one for the store, with states, terms, deadlines, requests, faults and writes; the steps before the end one by
// one; every entry in words; the script and a token. If original is not nil it is drawn below t, as what t was shrunk
// from. The same traces make the same bytes. The error is that of w.
func (t *Trace) HTML(w io.Writer, original *Trace) error {
	var b strings.Builder
	b.WriteString("<header>\n<p class=brand>tenure simulate</p>\n")
	t.verdict(&b)
	fmt.Fprintf(&b, "<p class=facts>%s</p>\n%s</header>\n", t.facts(), legend)
	heading := "The whole schedule"
	if original != nil {
		heading = "Shrunk to what is needed"
	}
	t.section(&b, heading, "e")
	newSteps(t).draw(&b)
	if original != nil {
		original.section(&b, "The schedule it was found in", "o")
	}
	fmt.Fprintf(&b, "<section>\n<h2>Play it again</h2>\n<pre>%s</pre>\n<p class=token><code>%s</code></p>\n</section>\n",
		html.EscapeString(t.Scenario.String()), html.EscapeString(t.Scenario.Token()))
	t.entries(&b, "Every entry", "e")
	if original != nil {
		original.entries(&b, "Every entry of the schedule it was found in", "o")
	}
	title := "No rule is broken"
	if t.Violation.Rule != "" {
		title = t.Violation.Rule + " is violated"
	}
	_, err := strings.NewReplacer("<!--title-->", html.EscapeString(title), "<!--body-->", b.String()).WriteString(w, page)
	return err
}

// verdict says in large letters how it ended.
func (t *Trace) verdict(b *strings.Builder) {
	v := t.Violation
	switch {
	case v.Rule == "":
		b.WriteString("<h1 class=good>No rule is broken</h1>\n")
		return
	case v.Beyond:
		fmt.Fprintf(b, "<h1 class=beyond><b>%s</b> is violated, outside of the promise</h1>\n", html.EscapeString(v.Rule))
	default:
		fmt.Fprintf(b, "<h1 class=bad><b>%s</b> is violated</h1>\n", html.EscapeString(v.Rule))
	}
	fence := ""
	switch {
	case v.Unfenced:
		fence = " The fence did not hold."
	case v.Beyond:
		fence = " The fence held."
	}
	fmt.Fprintf(b, "<p class=what>%s, at %v.%s <a href=\"#violation\">Jump to the first violation</a></p>\n",
		html.EscapeString(v.Text), v.At.Round(time.Microsecond), fence)
}

// facts is what the schedule was made of, in a line.
func (t *Trace) facts() string {
	s := t.Scenario
	faults := "no faults"
	if n := len(s.Faults); n == 1 {
		faults = "1 fault"
	} else if n > 1 {
		faults = fmt.Sprintf("%d faults", n)
	}
	return html.EscapeString(fmt.Sprintf("%d nodes · ttl %v · store %s · %s · seed %d · digest %016x",
		s.Nodes, s.Timing.TTL, s.Store, faults, s.Seed, t.Digest))
}

const legend = `<ul class=legend>
<li><i class=follower></i>follower<li><i class=acquiring></i>acquiring<li><i class=leader></i>leader
<li><i class=releasing></i>releasing<li><i class=pausedkey></i>stands still<li><i class=downkey></i>down
<li><svg width=30 height=12><path class=band d="M2 1L28 11H2z"/></svg>time left, as the node believes
<li><svg width=30 height=12><path class=lease d="M2 1L28 11H2z"/></svg>time left, as the store says
<li><svg width=34 height=12><path class="a g" d="M2 6H32"/></svg>granted
<li><svg width=34 height=12><path class="a r" d="M2 6H32"/></svg>refused
<li><svg width=34 height=12><path class="a u late" d="M2 6H32"/></svg>late or unknown
<li><svg width=34 height=12><path class="a lost" d="M2 6H32"/></svg>lost
<li><svg width=14 height=12><path class=wrote d="M7 2l5 8H2z"/></svg>write accepted
<li><svg width=14 height=12><path class=barred d="M3 2l8 8M11 2l-8 8"/></svg>write refused
<li><svg width=10 height=12><path class=workended d="M3 3h4v6h-4"/></svg>work has returned
</ul>
`

// section draws the lanes under a heading. Elements refer to entries by prefix and number.
func (t *Trace) section(b *strings.Builder, heading, prefix string) {
	fmt.Fprintf(b, "<section>\n<h2>%s</h2>\n", heading)
	if prefix != "e" {
		fmt.Fprintf(b, "<p class=facts>%s</p>\n", t.facts())
	}
	if from := t.told(); from > 0 {
		fmt.Fprintf(b, "<p class=facts>It is long: lanes are drawn from %v on, requests from %v on.</p>\n",
			brief(t.drawn()), brief(t.Entries[from].At))
	}
	newLanes(t, prefix).draw(b)
	b.WriteString("</section>\n")
}

// told is the number of the first entry that is told in full.
func (t *Trace) told() int { return max(0, len(t.shown())-mostShown) }

// drawn is the instant from which on lanes are drawn.
func (t *Trace) drawn() time.Duration {
	if all := t.shown(); len(all) > mostDrawn {
		return all[len(all)-mostDrawn].At
	}
	return 0
}

// shown is all entries up to the end of what is drawn.
func (t *Trace) shown() []Entry {
	end := t.span()
	i, _ := slices.BinarySearchFunc(t.Entries, end+1, func(e Entry, at time.Duration) int { return int(e.At - at) })
	return t.Entries[:i]
}

// span is how much of the schedule is drawn: all of it, or until shortly after the violation.
func (t *Trace) span() time.Duration {
	if v := t.Violation; v.Rule != "" {
		return max(min(t.Scenario.End, v.At+v.At/25+time.Second), v.At)
	}
	return t.Scenario.End
}

// entries writes every entry in words. What is hovered over in a picture is looked up here.
func (t *Trace) entries(b *strings.Builder, heading, prefix string) {
	from, all := t.told(), t.shown()
	fmt.Fprintf(b, "<details>\n<summary>%s (%d)</summary>\n<ol class=log start=%d>\n", heading, len(all)-from, from)
	for i, e := range all[from:] {
		fmt.Fprintf(b, "<li id=%s%d>%s\n", prefix, from+i, html.EscapeString(strings.TrimSpace(e.String())))
	}
	b.WriteString("</ol>\n</details>\n")
}
