package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-tenure/tenure/simulate"
)

// shownAs is a file that what is shown is written to.
type shownAs struct {
	flag, what string
	path       *string // empty: is not written
	write      func(w io.Writer, trace, original *simulate.Trace) error
}

func (s *simulating) files() []shownAs {
	return []shownAs{
		{"html", "page", &s.html, func(w io.Writer, trace, original *simulate.Trace) error {
			return trace.HTML(w, original)
		}},
		{"mermaid", "diagram", &s.mermaid, func(w io.Writer, trace, _ *simulate.Trace) error {
			_, err := io.WriteString(w, trace.Mermaid())
			return err
		}},
		{"perfetto", "trace", &s.perfetto, func(w io.Writer, trace, _ *simulate.Trace) error {
			return trace.Perfetto(w)
		}},
	}
}

// marks explains the timeline.
const marks = ". follower  ? acquiring  # leader  ~ releasing  x down  z stands still  ! violation;" +
	" at the store: the term"

// show plays a scenario, prints its timeline and writes it to the files that were asked for, where they can show it
// beside that of what it was shrunk from.
func (s *simulating) show(scenario simulate.Scenario, original *simulate.Scenario) (int, error) {
	trace, err := simulate.Play(scenario)
	if err != nil {
		return statusUsage, plain(err)
	}
	fmt.Fprintf(s.out, "%s\n%s\nreplay: tenure simulate --replay %s\n", trace.Timeline(), marks, scenario.Token())
	var before *simulate.Trace
	if original != nil {
		if before, err = simulate.Play(*original); err != nil {
			return statusUsage, plain(err)
		}
	}
	for _, file := range s.files() {
		if *file.path == "" {
			continue
		}
		if err := file.to(trace, before); err != nil {
			return statusUsage, plain(err)
		}
		fmt.Fprintf(s.out, "%s: %s\n", file.what, *file.path)
	}
	if v := trace.Violation; v.Rule != "" && !v.Beyond {
		return statusNo, nil
	}
	return 0, nil
}

func (f shownAs) to(trace, original *simulate.Trace) error {
	file, err := os.Create(*f.path)
	if err != nil {
		return fmt.Errorf("--%s: %w; give a file that can be written", f.flag, err)
	}
	return errors.Join(f.write(file, trace, original), file.Close())
}
