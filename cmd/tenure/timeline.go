package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// mark is something that was done to a node from outside.
type mark struct {
	at   time.Time
	name string
	what string
}

// verdict draws what happened from what the processes wrote, and returns an error if it is not what should have
// happened.
func (s *show) verdict() error {
	var all []events.Transition
	var names []string
	for _, p := range s.cast {
		list, err := readEvents(s.eventsOf(p.name))
		if err != nil {
			return err
		}
		all = append(all, list...)
		names = append(names, p.name)
	}
	ticks, err := readTicks(s.work())
	if err != nil {
		return err
	}
	tl := timeline{begin: s.begin, names: names, events: all, marks: s.marks, ticks: ticks}
	fmt.Fprintln(s.out)
	tl.draw(s.out)
	fmt.Fprintln(s.out)
	if err := tl.check(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "Three terms, three leaders, and never two programs at once.")
	return nil
}

// readEvents reads what --events json wrote.
func readEvents(path string) ([]events.Transition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []events.Transition
	for line := range bytes.Lines(text) {
		var t events.Transition
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, t)
	}
	return list, nil
}

// timeline is what happened to some nodes.
type timeline struct {
	begin  time.Time
	names  []string
	events []events.Transition
	marks  []mark
	ticks  []tick
}

// stretch is the time from the first to the last sign of life of the program under one term.
type stretch struct {
	name     string
	term     lease.Term
	from, to time.Time
}

func (tl *timeline) stretches() []stretch {
	var list []stretch
	for _, t := range tl.ticks {
		i := slices.IndexFunc(list, func(s stretch) bool { return s.term == t.term && s.name == t.name })
		if i < 0 {
			i = len(list)
			list = append(list, stretch{t.name, t.term, t.at, t.at})
		}
		list[i].to = t.at
	}
	slices.SortFunc(list, func(a, b stretch) int { return a.from.Compare(b.from) })
	return list
}

// check returns an error if two programs ran at once, or terms did not rise, or somebody led who should not have.
func (tl *timeline) check() error {
	var faults []error
	list := tl.stretches()
	for i, s := range list {
		if i == 0 {
			continue
		}
		if before := list[i-1]; !s.from.After(before.to) || s.term <= before.term {
			faults = append(faults, fmt.Errorf("the program of %s, term %d, ran beside that of %s, term %d",
				s.name, s.term, before.name, before.term))
		}
	}
	if len(list) != 3 {
		faults = append(faults, fmt.Errorf("%d terms were led, not 3", len(list)))
	}
	return errors.Join(faults...)
}

// draw writes a table of what happened, a column for each node, and then a line for each node.
func (tl *timeline) draw(out io.Writer) {
	type row struct {
		at   time.Time
		name string
		text string
	}
	var rows []row
	for _, m := range tl.marks {
		rows = append(rows, row{m.at, m.name, "** " + m.what})
	}
	for _, t := range tl.events {
		if text := words(t); text != "" {
			rows = append(rows, row{t.At, t.Node, text})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	const width = 26
	head := fmt.Sprintf("%8s", "seconds")
	for _, name := range tl.names {
		head += fmt.Sprintf("  %-*s", width, name)
	}
	fmt.Fprintln(out, strings.TrimRight(head, " "))
	for _, r := range rows {
		line := fmt.Sprintf("%8.3f", r.at.Sub(tl.begin).Seconds())
		for _, name := range tl.names {
			text := ""
			if name == r.name {
				text = r.text
			}
			line += fmt.Sprintf("  %-*s", width, text)
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(out)
	tl.lanes(out)
}

// words says what an event means to somebody who watches the demo, or nothing.
func words(t events.Transition) string {
	switch {
	case t.Snapshot || t.Kind != events.Moved:
		return ""
	case t.To == fsm.Leader:
		return fmt.Sprintf("leads, term %d", t.Term)
	case t.To == fsm.Releasing:
		return fmt.Sprintf("%s, winds down", strings.ReplaceAll(t.Reason.String(), "_", " "))
	case t.From == fsm.Releasing:
		return "lease " + t.Reason.String()
	}
	return ""
}

// lanes draws a line for each node, ten columns a second.
func (tl *timeline) lanes(out io.Writer) {
	const column = 100 * time.Millisecond
	end := tl.begin
	for _, t := range tl.ticks {
		if t.at.After(end) {
			end = t.at
		}
	}
	columns := int(end.Sub(tl.begin)/column) + 1
	ruler := ""
	for i := 0; i < columns; i += 10 {
		ruler += fmt.Sprintf("%-10s", fmt.Sprintf("|%ds", i/10))
	}
	fmt.Fprintf(out, "%8s  %s\n", "", strings.TrimRight(ruler, " "))
	for _, name := range tl.names {
		lane := []byte(strings.Repeat(".", columns))
		put := func(at time.Time, c byte) {
			if i := int(at.Sub(tl.begin) / column); i >= 0 && i < columns {
				lane[i] = c
			}
		}
		for _, t := range tl.ticks {
			if t.name == name {
				put(t.at, '#')
			}
		}
		for _, m := range tl.marks {
			if m.name == name && strings.HasPrefix(m.what, "killed") {
				for i := int(m.at.Sub(tl.begin)/column) + 1; i < columns; i++ {
					lane[i] = ' '
				}
				put(m.at, 'X')
			}
		}
		fmt.Fprintf(out, "%8s  %s\n", name, strings.TrimRight(string(lane), " "))
	}
	fmt.Fprintf(out, "%8s  %s\n", "", "# leads and runs its program   . follows   X killed")
}
