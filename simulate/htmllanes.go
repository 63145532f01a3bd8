package simulate

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// The picture of the lanes, in pixels.
const (
	picWidth  = 1180
	picLeft   = 64
	picRight  = 1164
	picTop    = 40 // of the first lane
	laneHigh  = 62
	barTop    = 17 // within a lane
	barHigh   = 17
	bandTop   = 36
	bandHigh  = 13
	writesTop = 56
	shortest  = 2.2 // a state that lasted for less is drawn as wide as this, to be seen
)

// lanes draws what happened to each node and to the store, from left to right in true time.
type lanes struct {
	t      *Trace
	b      *strings.Builder
	prefix string
	begin  time.Duration // before it nothing is drawn
	over   time.Duration // after it nothing happened
	end    time.Duration
	all    []Entry
	told   int
}

func newLanes(t *Trace, prefix string) *lanes {
	l := &lanes{t: t, prefix: prefix, begin: t.drawn(), end: t.span(), all: t.shown(), told: t.told()}
	if l.over = l.end; t.Violation.Rule != "" {
		l.over = min(l.end, t.Violation.At)
	}
	return l
}

func (l *lanes) draw(b *strings.Builder) {
	l.b = b
	n := l.t.Scenario.Nodes
	high := picTop + (n+1)*laneHigh + 14
	fmt.Fprintf(b, "<svg class=lanes viewBox=\"0 0 %d %d\" role=img aria-label=\"lanes of %d nodes and the store\">\n",
		picWidth, high, n)
	l.ruler(high)
	for i := range n {
		l.frame(i, "n"+strconv.Itoa(i))
	}
	l.frame(n, "store")
	l.faults()
	l.requests()
	for i := range n {
		l.states(int8(i))
		l.beliefs(int8(i))
	}
	l.leases()
	l.marks()
	if v := l.t.Violation; v.Rule != "" {
		x := l.x(v.At)
		anchor, dx := "start", 6
		if v.At > l.end/2 {
			anchor, dx = "end", -6
		}
		fmt.Fprintf(b, "<path class=violation d=\"M%s 20V%d\" data-e=%s /><text class=rule x=%s y=14 dx=%d "+
			"text-anchor=%s>%s</text>\n", x, high-8, l.ref(l.violated()), x, dx, anchor, html.EscapeString(v.Rule+" violated"))
	}
	b.WriteString("</svg>\n")
}

func (l *lanes) violated() int {
	for i, e := range l.all {
		if e.Kind == Violated {
			return i
		}
	}
	return len(l.all) - 1
}

// x is where an instant stands, with one decimal.
func (l *lanes) x(at time.Duration) string { return px(l.at(at)) }

func (l *lanes) at(at time.Duration) float64 {
	at = max(l.begin, min(at, l.end)) - l.begin
	return picLeft + float64(picRight-picLeft)*float64(at)/float64(max(l.end-l.begin, 1))
}

func px(x float64) string { return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0") }

func (l *lanes) ref(i int) string { return l.prefix + strconv.Itoa(i) }

func laneTop(i int) int { return picTop + i*laneHigh }

// top is where the lane of e's node begins, and of the store if it has none.
func (l *lanes) top(node int8) int {
	if node < 0 {
		return laneTop(l.t.Scenario.Nodes)
	}
	return laneTop(int(node))
}

func (l *lanes) frame(i int, name string) {
	y := laneTop(i)
	fmt.Fprintf(l.b, "<rect class=lane%d x=%d y=%d width=%d height=%d /><text class=name x=%d y=%d>%s</text>\n",
		i%2, 0, y, picWidth, laneHigh, picLeft-12, y+barTop+13, name)
}

// ruler draws the scale: round times, eight to fifteen of them.
func (l *lanes) ruler(high int) {
	step, wide := time.Millisecond, l.end-l.begin
	for _, k := range []time.Duration{2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000,
		120_000, 300_000, 600_000, 1_800_000, 3_600_000} {
		if wide/step > 15 {
			step = k * time.Millisecond
		}
	}
	for at := (l.begin + step - 1) / step * step; at <= l.end && wide/step < 200; at += step {
		x, label := l.x(at), fmt.Sprint(at)
		if v := l.t.Violation; v.Rule != "" && math.Abs(l.at(at)-l.at(v.At)) < 20 {
			label = "" // the line of the violation stands there
		}
		fmt.Fprintf(l.b, "<path class=tick d=\"M%s 32V%d\"/><text class=time x=%s y=27>%s</text>\n", x, high-14, x, label)
	}
}

// faults draws what went wrong as bands, in the lane that it hit, one beside the other where they overlap.
func (l *lanes) faults() {
	var free [MaxNodes + 1][2]time.Duration // until when a row of labels is taken
	for i, e := range l.all {
		if e.Kind != FaultBegan {
			continue
		}
		lane := int(e.Node)
		if shapes[e.Fault.Kind].store || lane < 0 {
			lane = l.t.Scenario.Nodes
		}
		y, from, to := laneTop(lane), e.At, e.At
		if shapes[e.Fault.Kind].span {
			to = min(e.At+e.Fault.For, max(l.t.Scenario.Heal, e.At))
		}
		if to < l.begin {
			continue
		}
		from = max(from, l.begin)
		wide := max(l.at(to)-l.at(from), 2.5)
		fmt.Fprintf(l.b, "<rect class=fault x=%s y=%d width=%s height=%d data-e=%s />",
			l.x(from), y+1, px(wide), laneHigh-2, l.ref(i))
		label := faultLabel(e.Fault)
		row := 0
		if free[lane][0] > from {
			row = 1
		}
		if free[lane][row] > from {
			continue
		}
		room := time.Duration(float64(l.end-l.begin) * (float64(len(label))*5.2 + 8) / (picRight - picLeft))
		anchor, dx := "start", 3
		if from+room > l.end {
			anchor, dx = "end", -3
		}
		free[lane][row] = from + room
		rowY := y + 12
		if row == 1 {
			rowY = y + laneHigh - 3
		}
		fmt.Fprintf(l.b, "<text class=faultname x=%s y=%d dx=%d text-anchor=%s>%s</text>\n", l.x(from), rowY, dx, anchor,
			html.EscapeString(label))
	}
}

// faultLabel names a fault without what the picture shows of it.
func faultLabel(f Fault) string {
	s := shapes[f.Kind]
	label := s.name
	switch {
	case s.ppm:
		label += fmt.Sprintf(" %dppm", int64(f.By))
	case s.by:
		label += " " + brief(f.By)
	}
	return label
}

// brief is d without digits that nobody reads.
func brief(d time.Duration) string {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

var stateClasses = [...]string{
	fsm.Follower: "follower", fsm.Acquiring: "acquiring", fsm.Leader: "leader", fsm.Releasing: "releasing",
}

// states draws the state of a node as a bar, with gaps while it is down and hatching while it stands still.
func (l *lanes) states(node int8) {
	y := laneTop(int(node)) + barTop
	class, since, entry, term := "", time.Duration(0), 0, uint64(0)
	labels, moments := "", "" // above everything else: what is drawn wider than it lasted, and terms
	turn := func(at time.Duration, next string, i int) {
		if class != "" && at >= l.begin {
			wide := max(l.at(at)-l.at(since), shortest)
			bar := fmt.Sprintf("<rect class=%s x=%s y=%d width=%s height=%d data-e=%s />", class, l.x(since), y, px(wide),
				barHigh, l.ref(entry))
			if wide > shortest {
				l.b.WriteString(bar)
			} else {
				moments += bar
			}
			if class == "leader" && wide > 46 {
				labels += fmt.Sprintf("<text class=term x=%s y=%d>term %d</text>", px(l.at(since)+5), y+12, term)
			}
		}
		class, since, entry = next, at, i
	}
	for i, e := range l.all {
		if e.Node != node {
			continue
		}
		switch e.Kind {
		case Started:
			turn(e.At, "follower", i)
		case Moved:
			turn(e.At, stateClasses[e.To], i)
			term = uint64(e.Term)
		case Ended, Crashed:
			turn(e.At, "", i)
			if e.At < l.begin {
				continue
			}
			glyph := "✕"
			if e.Kind == Ended {
				glyph = "■"
			}
			fmt.Fprintf(l.b, "<text class=dead x=%s y=%d data-e=%s>%s</text>", l.x(e.At), y+12, l.ref(i), glyph)
		}
	}
	turn(l.over, "", 0)
	for i, e := range l.all {
		if e.Kind == FaultBegan && (e.Fault.Kind == Pause || e.Fault.Kind == Sleep) && e.Node == node {
			to := min(e.At+e.Fault.For, max(l.t.Scenario.Heal, e.At), l.over)
			fmt.Fprintf(l.b, "<rect class=paused x=%s y=%d width=%s height=%d data-e=%s />", l.x(e.At), y,
				px(l.at(to)-l.at(e.At)), barHigh, l.ref(i))
		}
	}
	l.b.WriteString(moments + labels + "\n")
}

// slope draws how the time that is left runs out from one instant on, cut off at another.
func (l *lanes) slope(class string, base int, from, until, cut time.Duration, entry int) {
	if from = max(from, l.begin); until <= from || cut <= from {
		return
	}
	ttl := float64(max(l.t.Scenario.Timing.TTL, 1))
	height := func(at time.Duration) string {
		return px(float64(base) - bandHigh*min(1, float64(until-at)/ttl))
	}
	cut = min(cut, until, l.over)
	fmt.Fprintf(l.b, "<path class=%s d=\"M%s %dV%sL%s %sV%dz\" data-e=%s />", class, l.x(from), base, height(from),
		l.x(cut), height(cut), base, l.ref(entry))
}

// deadline marks the instant at which time that was not renewed ran out.
func (l *lanes) deadline(class string, base int, at time.Duration, entry int) {
	if at < l.begin {
		return
	}
	fmt.Fprintf(l.b, "<path class=%s d=\"M%s %dV%d\" data-e=%s />", class, l.x(at), base-bandHigh-1, base+3, l.ref(entry))
}

// beliefs draws how long a leader believes that it may act, renewed by every granted answer.
func (l *lanes) beliefs(node int8) {
	base := laneTop(int(node)) + bandTop + bandHigh
	var from, until time.Duration
	entry, leading := 0, false
	turn := func(at time.Duration) {
		l.slope("band", base, from, until, at, entry)
		if until > 0 && until <= at {
			l.deadline("until", base, until, entry)
		}
		until = 0
	}
	for i, e := range l.all {
		if e.Node != node {
			continue
		}
		switch {
		case e.Kind == Moved && e.To == fsm.Leader, e.Kind == Answered && leading && e.Until > 0:
			if u := time.Duration(e.Until); u != until {
				turn(e.At)
				from, until, entry = e.At, u, i
			}
			leading = true
		case e.Kind == Moved && e.From == fsm.Leader, e.Kind == Crashed, e.Kind == Ended:
			turn(e.At)
			leading = false
		}
	}
	turn(l.over)
	l.b.WriteByte('\n')
}
