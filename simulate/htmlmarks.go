package simulate

import (
	"fmt"
	"math"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

// exchange is one request on its way to the store and back, as far as the trace tells of it. The fields are
// numbers of entries; -1: none.
type exchange struct {
	node                                          int8
	asked, carried, answered, lostThere, lostBack int
}

// exchanges finds what belongs together. A request that arrived twice makes two.
func exchanges(entries []Entry) []exchange {
	var list []exchange
	latest := map[[2]uint64]int{}
	for i, e := range entries {
		if e.Kind < Asked || e.Kind > LostBack {
			continue
		}
		key := [2]uint64{uint64(e.Node), e.Call}
		at, known := latest[key]
		if e.Kind == Asked || !known || e.Kind == CarriedOut && list[at].carried >= 0 ||
			e.Kind == Answered && list[at].answered >= 0 {
			x := exchange{node: e.Node, asked: -1, carried: -1, answered: -1, lostThere: -1, lostBack: -1}
			if known && e.Kind == Answered {
				x.carried = list[at].carried
			} else if known {
				x.asked = list[at].asked
			}
			at = len(list)
			list, latest[key] = append(list, x), at
		}
		x := &list[at]
		switch e.Kind {
		case Asked:
			x.asked = i
		case CarriedOut:
			x.carried = i
		case Answered:
			x.answered = i
		case LostThere:
			x.lostThere = i
		case LostBack:
			x.lostBack = i
		}
	}
	return list
}

// first is the number of the first entry that there is.
func (x exchange) first() int {
	least := math.MaxInt
	for _, i := range []int{x.asked, x.carried, x.answered, x.lostThere, x.lostBack} {
		if i >= 0 {
			least = min(least, i)
		}
	}
	return least
}

var answerClasses = map[fsm.Kind]string{fsm.Granted: "g", fsm.Refused: "r", fsm.Unknown: "u"}

// requests draws the way of each request to the store and of its answer back.
func (l *lanes) requests() {
	store := l.top(-1) + barTop
	for _, x := range exchanges(l.all) {
		y := l.top(x.node) + barTop + barHigh
		if min(x.first(), len(l.all)) < l.told {
			continue
		}
		class := "u"
		if x.carried >= 0 {
			class = answerClasses[l.all[x.carried].Answer]
		} else if x.answered >= 0 {
			class = answerClasses[l.all[x.answered].Answer]
		}
		turn := x.carried
		if turn < 0 { // answered with an error by a store that wrote nothing down
			turn = x.answered
		}
		if x.asked >= 0 && x.lostThere >= 0 {
			l.lost(x.asked, x.lostThere, y, store, x.lostThere)
			turn = -1
		} else if x.asked >= 0 && turn >= 0 {
			l.arrow(class, x.asked, turn, y, store)
		}
		switch {
		case x.lostBack >= 0 && turn >= 0:
			l.lost(turn, x.lostBack, store, y, x.lostBack)
		case x.answered >= 0 && turn >= 0 && x.answered != turn:
			l.arrow(class, turn, x.answered, store, y)
		}
	}
	l.b.WriteByte('\n')
}

// late reports whether a message was under way for longer than a whole call may take.
func (l *lanes) late(from, to int) bool {
	return l.all[to].At-l.all[from].At > l.t.Scenario.Timing.CallTimeout
}

func (l *lanes) arrow(class string, from, to, y0, y1 int) {
	if l.late(from, to) {
		class += " late"
	}
	a, b := l.at(l.all[from].At), l.at(l.all[to].At)
	head := 4
	if y1 < y0 {
		head = -4
	}
	fmt.Fprintf(l.b, "<path class=\"a %s\" d=\"M%s %dL%s %dm-2 %dl2 %dl2 %d\" data-e=\"%s %s\"/>", class, px(a), y0,
		px(b), y1, -head, head, -head, l.ref(from), l.ref(to))
}

// lost draws a message that did not arrive: dashed, and crossed out before its end.
func (l *lanes) lost(from, to, y0, y1, entry int) {
	a, b := l.at(l.all[from].At), l.at(l.all[to].At)
	end := y0 + (y1-y0)*7/10
	fmt.Fprintf(l.b, "<path class=\"a lost\" d=\"M%s %dL%s %d\" data-e=\"%s %s\"/>"+
		"<path class=cross d=\"M%s %dm-3-3l6 6m0-6l-6 6\" data-e=%s />", px(a), y0, px(b), end,
		l.ref(from), l.ref(entry), px(b), end, l.ref(entry))
}

// marks draws the writes of the work to the fenced resource, the end of the work, and the healing.
func (l *lanes) marks() {
	for i, e := range l.all {
		y := float64(l.top(e.Node) + writesTop)
		x := l.at(e.At)
		if e.At < l.begin {
			continue
		}
		switch e.Kind {
		case Wrote:
			fmt.Fprintf(l.b, "<path class=wrote d=\"M%s %sl4 7h-8z\" data-e=%s />", px(x), px(y-4), l.ref(i))
		case Barred:
			fmt.Fprintf(l.b, "<path class=barred d=\"M%s %sl7 7m0-7l-7 7\" data-e=%s />", px(x-3.5), px(y-4), l.ref(i))
		case WorkEnded:
			fmt.Fprintf(l.b, "<path class=workended d=\"M%s %sh4v6h-4\" data-e=%s />", px(x-4), px(y-3), l.ref(i))
		case Healed:
			if e.At < l.end-time.Millisecond {
				fmt.Fprintf(l.b, "<path class=healed d=\"M%s 32V%d\" data-e=%s /><text class=time x=%s y=14>all faults over</text>",
					px(x), l.top(-1)+laneHigh, l.ref(i), px(x))
			}
		}
	}
	l.b.WriteByte('\n')
}
