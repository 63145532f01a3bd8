package simulate

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// How many entries are drawn one by one, and where, in pixels.
const (
	stepsShown = 44
	rowHigh    = 21
	stepsTop   = 34
	timeWide   = 128
)

// steps draws the entries before the end from top to bottom, a row each, however little or much time lies between them.
type steps struct {
	t       *Trace
	all     []Entry
	from    int // number of the first that is drawn
	to      int // number after the last
	spacing float64
	b       *strings.Builder
}

func newSteps(t *Trace) *steps {
	s := &steps{t: t, all: t.shown()}
	s.to = len(s.all)
	for i, e := range s.all {
		if e.Kind == Violated {
			s.to = i + 1
			break
		}
	}
	s.from = max(0, s.to-stepsShown)
	s.spacing = min(64, 540/float64(t.Scenario.Nodes+1))
	return s
}

func (s *steps) draw(b *strings.Builder) {
	s.b = b
	heading := "The last steps, one by one"
	if s.t.Violation.Rule != "" {
		heading = "How it came about, step by step"
	}
	n := s.t.Scenario.Nodes
	high := stepsTop + (s.to-s.from)*rowHigh + 8
	fmt.Fprintf(b, "<section>\n<h2>%s</h2>\n<svg class=steps viewBox=\"0 0 %d %d\">\n", heading, picWidth, high)
	for i := s.from; i < s.to; i++ {
		s.row(i)
	}
	for i := range n {
		fmt.Fprintf(b, "<text class=head x=%s y=20>n%d</text>", px(s.x(int8(i))), i)
		s.bar(int8(i))
	}
	fmt.Fprintf(b, "<text class=head x=%s y=20>store</text>\n", px(s.x(-1)))
	s.storeBar()
	s.requests()
	for i := s.from; i < s.to; i++ {
		s.dot(i)
	}
	b.WriteString("</svg>\n</section>\n")
}

// x is where the lane of a node stands; -1: the store's, to the right of them all.
func (s *steps) x(node int8) float64 {
	if node < 0 {
		node = int8(s.t.Scenario.Nodes)
	}
	return timeWide + s.spacing*(float64(node)+0.5)
}

func (s *steps) y(i int) float64 {
	i = max(s.from-1, min(i, s.to))
	return stepsTop + (float64(i-s.from)+0.5)*rowHigh
}

// row writes when the entry was, how long after the one before, and what it says.
func (s *steps) row(i int) {
	e := s.all[i]
	class, id := fmt.Sprintf("row%d", i%2), ""
	if e.Kind == Violated {
		class, id = "rowbad", " id=violation"
	}
	y := s.y(i)
	fmt.Fprintf(s.b, "<rect%s class=\"row %s\" x=0 y=%s width=%d height=%d data-row=e%d />", id, class, px(y-rowHigh/2.0),
		picWidth, rowHigh, i)
	text := strings.TrimSpace(e.String())
	at, what, found := strings.Cut(text, "s  ")
	if !found {
		what = text
	}
	after := ""
	if i > 0 {
		if gap := e.At - s.all[i-1].At; gap >= time.Second {
			after = "+" + gap.Round(10*time.Millisecond).String()
		}
	}
	fmt.Fprintf(s.b, "<text class=when x=66 y=%s>%s</text><text class=gap x=70 y=%s>%s</text>"+
		"<text class=says x=%s y=%s>%s</text>\n", px(y+4), html.EscapeString(at), px(y+4), after,
		px(s.x(-1)+s.spacing/2+14), px(y+4), html.EscapeString(what))
}

// bar draws the state of a node down its lane.
func (s *steps) bar(node int8) {
	class, since := "", 0
	x := s.x(node)
	turn := func(i int, next string) {
		if class != "" && i > s.from {
			top := max(s.y(since), stepsTop)
			fmt.Fprintf(s.b, "<rect class=%s x=%s y=%s width=10 height=%s />", class, px(x-5), px(top), px(s.bottom(i)-top))
		}
		class, since = next, i
	}
	fmt.Fprintf(s.b, "<path class=rail d=\"M%s %dV%s\"/>", px(x), stepsTop, px(s.bottom(s.to)))
	for i, e := range s.all[:s.to] {
		if e.Node != node {
			continue
		}
		switch e.Kind {
		case Started:
			turn(i, "follower")
		case Moved:
			turn(i, stateClasses[e.To])
		case Ended, Crashed:
			turn(i, "")
		}
	}
	turn(s.to, "")
	s.b.WriteByte('\n')
}

// bottom is y, cut off at the end of the picture.
func (s *steps) bottom(i int) float64 {
	return min(s.y(i), stepsTop+float64((s.to-s.from)*rowHigh))
}

// storeBar draws who has the lease down the lane of the store.
func (s *steps) storeBar() {
	x := s.x(-1)
	fmt.Fprintf(s.b, "<path class=rail d=\"M%s %dV%s\"/>", px(x), stepsTop, px(s.bottom(s.to)))
	now, since := holding{holder: -1}, 0
	turn := func(i int) {
		if now.holder == -1 || i <= s.from {
			return
		}
		top, end := max(s.y(since), stepsTop), s.bottom(i)
		for k := max(since, s.from); k < i; k++ {
			if s.all[k].At > now.expires {
				end = s.y(k) - rowHigh/2.0
				break
			}
		}
		if end > top {
			fmt.Fprintf(s.b, "<rect class=held x=%s y=%s width=10 height=%s />"+
				"<text class=storeterm x=%s y=%s>%d</text>", px(x-5), px(top), px(end-top), px(x+9), px(top+12), now.term)
		}
	}
	for i, e := range s.all[:s.to] {
		next, tells := now.after(e, s.t.Scenario.Timing.TTL)
		if !tells {
			continue
		}
		if next.holder != now.holder || next.term != now.term {
			turn(i)
			since = i
		}
		now = next
	}
	turn(s.to)
	s.b.WriteByte('\n')
}

// requests draws arrows between the rows at which a request was sent, carried out and answered.
func (s *steps) requests() {
	for _, x := range exchanges(s.all[:s.to]) {
		if max(x.asked, x.carried, x.answered, x.lostThere, x.lostBack) < s.from {
			continue
		}
		class, turn := "u", x.carried
		if turn < 0 {
			turn = x.answered
		}
		if turn >= 0 {
			class = answerClasses[s.all[turn].Answer]
		}
		from, to := s.x(x.node), s.x(-1)
		switch {
		case x.lostThere >= 0 && x.asked >= 0:
			s.lost(x.asked, x.lostThere, from, to)
			continue
		case x.asked >= 0 && turn >= 0 && turn == x.answered:
			mid := (s.y(x.asked) + s.y(turn)) / 2
			s.line(class, false, from, s.y(x.asked), to, mid)
			s.line(class, false, to, mid, from, s.y(turn))
			continue
		case x.asked >= 0 && turn >= 0:
			s.line(class, s.late(x.asked, turn), from, s.y(x.asked), to, s.y(turn))
		}
		if x.lostBack >= 0 && turn >= 0 {
			s.lost(turn, x.lostBack, to, from)
		} else if x.answered >= 0 && turn >= 0 {
			s.line(class, s.late(turn, x.answered), to, s.y(turn), from, s.y(x.answered))
		}
	}
	s.b.WriteByte('\n')
}

func (s *steps) late(from, to int) bool {
	return s.all[to].At-s.all[from].At > s.t.Scenario.Timing.CallTimeout
}

// line draws an arrow, unless all of it lies above the picture.
func (s *steps) line(class string, late bool, x0, y0, x1, y1 float64) {
	if y1 < stepsTop {
		return
	}
	if late {
		class += " late"
	}
	if y0 < stepsTop { // cut off where it enters
		x0 += (x1 - x0) * (stepsTop - y0) / max(y1-y0, 1)
		y0 = stepsTop
	}
	side := 7.0
	if x1 > x0 {
		side = -7
	}
	x0, x1 = x0-side, x1+side
	dx := side / 7 * 6
	fmt.Fprintf(s.b, "<path class=\"s %s\" d=\"M%s %sL%s %s\"/><path class=\"tip %s\" d=\"M%s %sl%s-3.5v7z\"/>",
		class, px(x0), px(y0), px(x1), px(y1), class, px(x1), px(y1), px(dx))
}

func (s *steps) lost(from, to int, x0, x1 float64) {
	y0, y1 := max(s.y(from), stepsTop), s.y(to)
	if y1 < stepsTop {
		return
	}
	x1 = x0 + (x1-x0)*0.7
	if to == from+1 && y1-y0 < rowHigh*1.5 {
		y1 = y0 + (y1-y0)*0.8
	}
	fmt.Fprintf(s.b, "<path class=\"s lost\" d=\"M%s %sL%s %s\"/><path class=cross d=\"M%s %sm-4-4l8 8m0-8l-8 8\"/>",
		px(x0), px(y0), px(x1), px(y1), px(x1), px(y1))
}

// dot marks the lane in which an entry happened.
func (s *steps) dot(i int) {
	e := s.all[i]
	x, y := s.x(e.Node), s.y(i)
	switch e.Kind {
	case Wrote:
		fmt.Fprintf(s.b, "<path class=wrote d=\"M%s %sl5 9h-10z\"/>", px(x), px(y-5))
	case Barred:
		fmt.Fprintf(s.b, "<path class=barred d=\"M%s %sl8 8m0-8l-8 8\"/>", px(x-4), px(y-4))
	case Crashed, Ended:
		fmt.Fprintf(s.b, "<path class=cross d=\"M%s %sl8 8m0-8l-8 8\"/>", px(x-4), px(y-4))
	case FaultBegan, FaultOver:
		if shapes[e.Fault.Kind].store {
			x = s.x(-1)
		}
		fmt.Fprintf(s.b, "<path class=faultdot d=\"M%s %sl6 6l-6 6l-6-6z\"/>", px(x), px(y-6))
	case Violated, Healed:
		return
	case CarriedOut:
		fmt.Fprintf(s.b, "<circle class=dot cx=%s cy=%s r=4 />", px(s.x(-1)), px(y))
	default:
		fmt.Fprintf(s.b, "<circle class=dot cx=%s cy=%s r=4 />", px(x), px(y))
	}
}
