package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/simulate"
)

// campaign plays a range of seeds. base is what they have in common, besides what the command line says.
func (s *simulating) campaign(ctx context.Context, base simulate.Scenario) (int, error) {
	if base.Nodes = s.nodes; s.nodes == 0 {
		base.Nodes = 5
	}
	base.Timing = fsm.Timing{TTL: s.ttl}
	var err error
	if base.Store, err = s.kind(simulate.Expiring, simulate.Register, simulate.Forgetful); err != nil {
		return statusUsage, err
	}
	if s.seeds == 1 {
		if err := base.Check(); err != nil {
			return statusUsage, plain(err)
		}
		return s.show(simulate.Plan(base, s.first), nil)
	}
	begin, stopped := time.Now(), false
	each := simulate.Plan(base, s.first).End * time.Duration(base.Nodes)
	done := func(r simulate.Result) string {
		took := time.Since(begin)
		return fmt.Sprintf("%d schedules of %d nodes, %s events, %s simulated, %.0f schedules/s", r.Schedules, base.Nodes,
			count(r.Events), years(each, r.Schedules), float64(r.Schedules)/max(took.Seconds(), 1e-9))
	}
	c := simulate.Campaign{Base: base, First: s.first, Seeds: s.seeds, Progress: func(r simulate.Result) bool {
		left := time.Since(begin) * time.Duration(s.seeds-r.Schedules) / time.Duration(r.Schedules)
		s.progress.show("%s; %v left", done(r), left.Round(time.Second))
		stopped = ctx.Err() != nil
		return !stopped
	}}
	r, err := c.Run()
	s.progress.clear()
	switch {
	case err != nil && r.Schedules == 0:
		return statusUsage, plain(err)
	case err != nil:
		return statusInternal, plain(err)
	case r.Failed != nil:
		return s.failed(r)
	case stopped:
		return statusInterrupted, fmt.Errorf("interrupted after %s; no rule was broken", done(r))
	}
	fmt.Fprintf(s.out, "%s\nin %v; digest %016x\nno rule is broken", done(r), time.Since(begin).Round(time.Millisecond),
		r.Digest)
	if r.Beyond > 0 {
		fmt.Fprintf(s.out, " inside of the promise;\n"+
			"outside of it, %d schedules broke one, and in %d of these the fence held", r.Beyond, r.Beyond-r.Unfenced)
	}
	fmt.Fprintln(s.out)
	for _, file := range s.files() {
		if *file.path != "" {
			fmt.Fprintf(s.out, "there is nothing to show, so %s was not written\n", *file.path)
		}
	}
	return s.covered(&r.Coverage)
}

// kind is the store of the command line, one of some.
func (s *simulating) kind(some ...simulate.StoreKind) (simulate.StoreKind, error) {
	var known []string
	for _, k := range some {
		if known = append(known, k.String()); s.store == k.String() {
			return k, nil
		}
	}
	last := len(known) - 1
	return 0, fmt.Errorf("--store %q is unknown; known are %s and %s",
		s.store, strings.Join(known[:last], ", "), known[last])
}

// covered says what a campaign has met, and with --cover whether that is all.
func (s *simulating) covered(v *simulate.Coverage) (int, error) {
	cells, missing, can := len(v.Cells()), v.Missing(), len(simulate.Reachable())
	fmt.Fprintf(s.out, "met: %d of %d moves, %d of %d situations that can be reached\n"+
		"and: %d situations of faults for which that is not known, %d pairs of faults\n",
		len(v.Moves()), len(fsm.Moves()), can-len(missing), can, cells-(can-len(missing)), len(v.Pairs()))
	if !s.cover {
		return 0, nil
	}
	for _, m := range fsm.Moves() {
		if !slices.Contains(v.Moves(), m) {
			fmt.Fprintf(s.out, "never met: the move from %v to %v, %v\n", m.From, m.To, m.Reason)
		}
	}
	for _, d := range v.Unmet() {
		fmt.Fprintf(s.out, "never met: %v\n", d)
	}
	for _, c := range missing {
		fmt.Fprintf(s.out, "never met: %v\n", c)
	}
	if len(missing)+len(v.Unmet()) > 0 || len(v.Moves()) < len(fsm.Moves()) {
		return statusNo, fmt.Errorf("--cover: some of what schedules can meet they did not; play more of them")
	}
	return 0, nil
}

// failed makes what a campaign has found small, and shows it.
func (s *simulating) failed(r simulate.Result) (int, error) {
	small, plays := simulate.Shrink(*r.Failed)
	fmt.Fprintf(s.out, "seed %d, after %d schedules, violates %s\n%d of %d faults are needed (%d replays)\n\n",
		r.Failed.Seed, r.Schedules, r.Violation, len(small.Faults), len(r.Failed.Faults), plays)
	status, err := s.show(small, r.Failed)
	if err == nil {
		status = statusNo
	}
	return status, err
}

// everything explores a small world.
func (s *simulating) everything(ctx context.Context) (int, error) {
	small, begin, stopped := s.small, time.Now(), false
	small.Nodes = s.nodes
	var err error
	if small.Store, err = s.kind(simulate.Expiring, simulate.Register); err != nil {
		return statusUsage, err
	}
	if err := small.Check(); err != nil {
		return statusUsage, plain(err)
	}
	if s.progress.on() {
		s.progress.show("exploring: %s", small)
		fmt.Fprintln(s.progress.w)
	}
	rate := func(r simulate.Explored) float64 { return float64(r.States) / max(time.Since(begin).Seconds(), 1e-9) }
	small.Progress = func(r simulate.Explored) bool {
		s.progress.show("%s states, of which %s are still to be left; %s events, depth %d, %s states/s", count(r.States),
			count(r.Frontier), count(r.Steps), r.Depth, count(int(rate(r))))
		stopped = ctx.Err() != nil
		return !stopped
	}
	r, err := small.Explore()
	s.progress.clear()
	if err != nil {
		return statusUsage, plain(err)
	}
	fmt.Fprint(s.out, r.Report(small))
	fmt.Fprintf(s.out, "in %v, %s states/s\n", time.Since(begin).Round(time.Millisecond), count(int(rate(r))))
	switch {
	case r.Violation.Rule != "":
		return statusNo, nil
	case stopped:
		return statusInterrupted, fmt.Errorf("interrupted after %d states; no rule was broken", r.States)
	case !r.Complete:
		return statusNo, fmt.Errorf("gave up after %d states; raise --max-states to explore them all", r.States)
	}
	return 0, nil
}

// count is a number for people.
func count(n int) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f billion", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.2f million", float64(n)/1e6)
	}
	return fmt.Sprint(n)
}

// years is how long it would take to see in reality what n schedules show. It does not fit a time.Duration.
func years(each time.Duration, n int) string {
	const year = 365.25 * 24
	hours := each.Hours() * float64(n)
	if hours < year {
		return fmt.Sprintf("%.1f days", hours/24)
	}
	return fmt.Sprintf("%.1f years", hours/year)
}

// progress writes over one line of a terminal. One whose writer is no terminal writes nothing.
type progress struct {
	w     io.Writer
	last  time.Time
	width int
}

func newProgress(file *os.File) *progress {
	if at, err := file.Stat(); err != nil || at.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{w: file}
}

func (p *progress) on() bool { return p.w != nil }

// show replaces the line, five times a second at most.
func (p *progress) show(format string, args ...any) {
	if !p.on() || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf(format, args...)
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.on() && p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}
