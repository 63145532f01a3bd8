package browser

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/go-tenure/tenure/simulate"
)

// twoLead breaks a rule, outside of the promise: the store ends a lease early. The other faults are not needed for it.
const twoLead = `tenure scenario 1
nodes 5
ttl 15s
watch false
pause n3 at 3s for 2s
cut n1 at 8s for 4s
lose-answer n2 #3
crash n4 at 12s for 6s
early at 20s by 14s
resign leader at 33s
`

// failover is a story without a violation: a leader that stands still is replaced and fenced off.
const failover = `tenure scenario 1
nodes 3
ttl 15s
heal 60s
end 72s
cut n0 at 12s for 9s
pause leader at 31s for 20s
resign leader at 55s
`

// pageOf plays a script and returns its page: if shrink is set, that of what it shrinks to beside it.
func pageOf(t *testing.T, script string, shrink bool) string {
	t.Helper()
	s, err := simulate.Parse(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	trace, err := simulate.Play(s)
	if err != nil {
		t.Fatal(err)
	}
	var original *simulate.Trace
	if shrink {
		small, _ := simulate.Shrink(s)
		original = trace
		if trace, err = simulate.Play(small); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := trace.HTML(&b, original); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageOfAFailureShowsItInAnyBrowserWindow(t *testing.T) {
	page := pageOf(t, twoLead, true)
	if len(page) > 300_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, w := range []window{
		{name: "failure-light", wide: 1280, high: 1000}, {name: "failure-dark", wide: 1280, high: 1000, dark: true},
		{name: "failure-phone", wide: 500, high: 1000},
	} {
		v := w.open(t, page)
		v.opened(t)
		if v.probe.Heading != "R1 is violated, outside of the promise" {
			t.Errorf("%s: the heading is %q", w.name, v.probe.Heading)
		}
		if !strings.Contains(v.probe.Tip, "n") || !strings.Contains(v.probe.Tip, "s  ") {
			t.Errorf("%s: hovering over the leader's bar says %q", w.name, v.probe.Tip)
		}
		if v.probe.Lanes != 3+5+2 { // what was shrunk has three nodes, the original five; each a store
			t.Errorf("%s: %d lanes", w.name, v.probe.Lanes)
		}
		v.shows(t, "the leader's bar", v.probe.Leader, green)
		v.shows(t, "the lease at the store", v.probe.Held, blue)
		if w.wide > 1000 { // on a phone the end of the picture is a swipe away
			v.shows(t, "the line of the violation", v.probe.Violation, red)
		}
	}
}

func TestTheLinkLeadsToTheViolation(t *testing.T) {
	page := pageOf(t, twoLead, true)
	v := window{name: "failure-whole", wide: 1280, high: 3000}.open(t, page)
	v.opened(t)
	if row := v.probe.Row; row.Y < 1000 || !reddish(v.at(row.X+30, row.Y+row.High/2)) {
		t.Errorf("the row of the violation, at %+v, has the colour %v", row, v.at(row.X+30, row.Y+row.High/2))
	}
	// A window that has scrolled is not in the picture.
	v = window{name: "violation", wide: 1280, high: 700, anchor: "#violation"}.open(t, page)
	if row := v.probe.Row; row.Y < 0 || row.Y+row.High > 700 {
		t.Errorf("the row of the violation is at %+v, out of sight", row)
	}
}

func TestThePageOfAFailoverShowsWhoLedWhenAndTheFence(t *testing.T) {
	page := pageOf(t, failover, false)
	for _, w := range []window{
		{name: "failover-light", wide: 1280, high: 1000}, {name: "failover-dark", wide: 1280, high: 1000, dark: true},
	} {
		v := w.open(t, page)
		v.opened(t)
		if v.probe.Heading != "No rule is broken" || v.probe.Lanes != 4 {
			t.Errorf("%s: %d lanes under the heading %q", w.name, v.probe.Lanes, v.probe.Heading)
		}
		v.shows(t, "the first leader's bar", v.probe.Leader, green)
		v.shows(t, "the write that was refused", v.probe.Barred, red)
		if v.probe.Violation.High != 0 {
			t.Errorf("%s: a violation is drawn", w.name)
		}
	}
}

// opened fails unless the page opened without an error, loaded nothing, fits and shows something.
func (v *view) opened(t *testing.T) {
	t.Helper()
	if len(v.complaints) > 0 {
		t.Errorf("%s: the browser complains: %q", v.name, v.complaints)
	}
	if v.probe.Loaded != 0 {
		t.Errorf("%s: the page loads %d things", v.name, v.probe.Loaded)
	}
	if v.probe.Wide > v.probe.Inner {
		t.Errorf("%s: the page is %d wide in a window of %d", v.name, v.probe.Wide, v.probe.Inner)
	}
	colours := map[color.RGBA]int{}
	b := v.picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			colours[v.at(float64(x), float64(y))]++
		}
	}
	most := 0
	for _, n := range colours {
		most = max(most, n)
	}
	if all := b.Dx() * b.Dy(); len(colours) < 50 || most > all*95/100 {
		t.Errorf("%s: the picture is blank, or nearly: %d colours, %d of %d pixels are the same",
			v.name, len(colours), most, all)
	}
	if paper := v.at(3, 3); v.dark != (luminance(paper) < 60) {
		t.Errorf("%s: the paper is %v", v.name, paper)
	}
}

// shows fails unless the middle of b, or what is just beside it, has the colour.
func (v *view) shows(t *testing.T, what string, b box, is func(color.RGBA) bool) {
	t.Helper()
	x, y := b.X+b.Wide/2, b.Y+b.High/2
	if b.High == 0 || !image.Pt(int(x), int(y)).In(v.picture.Bounds()) {
		t.Errorf("%s: %s is at %+v, out of sight", v.name, what, b)
		return
	}
	for _, dx := range []float64{0, -1, 1} {
		for _, dy := range []float64{0, -3, 3} {
			if is(v.at(x+dx, y+dy)) {
				return
			}
		}
	}
	t.Errorf("%s: %s has the colour %v", v.name, what, v.at(x, y))
}

func luminance(c color.RGBA) int { return (299*int(c.R) + 587*int(c.G) + 114*int(c.B)) / 1000 }

func red(c color.RGBA) bool   { return int(c.R) > int(c.G)+70 && int(c.R) > int(c.B)+70 }
func green(c color.RGBA) bool { return int(c.G) > int(c.R)+50 && int(c.G) > int(c.B)+20 }
func blue(c color.RGBA) bool  { return int(c.B) > int(c.R)+60 && int(c.B) > int(c.G)+30 }

// reddish is the paper of the row of a violation.
func reddish(c color.RGBA) bool { return int(c.R) > int(c.G)+10 && int(c.R) > int(c.B)+10 }

// A page on which something is wrong must not pass.
func TestAPageThatDoesNotOpenIsNoticed(t *testing.T) {
	page := pageOf(t, failover, false)
	broken := strings.Replace(page, `"use strict";`, `"use strict"; nowhere.found();`, 1)
	if v := (window{name: "broken", wide: 800, high: 600}).open(t, broken); len(v.complaints) != 1 ||
		!strings.Contains(v.complaints[0], "nowhere is not defined") {
		t.Errorf("of a script that fails the browser says %q", v.complaints)
	}
	loads := strings.Replace(page, "</head>", `<link rel=stylesheet href="http://tenure.invalid/there.css"></head>`, 1)
	if v := (window{name: "loads", wide: 800, high: 600}).open(t, loads); v.probe.Loaded != 1 {
		t.Errorf("of a page that loads one thing the browser counts %d", v.probe.Loaded)
	}
}
