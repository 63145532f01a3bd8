//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/simulate"
)

// interval is a stretch of time in which the work of one term ran, of one process.
type interval struct {
	who  string
	term lease.Term
	span
	cut bool // it went on, but its process had been stopped, by us or by a machine that had no time
}

// verdict is what became of one election.
type verdict struct {
	Store     string         `json:"store"`
	Rounds    int            `json:"rounds"`
	Blows     map[string]int `json:"blows"`
	Tenures   int            `json:"tenures"`
	Cut       int            `json:"cut"`
	Events    int            `json:"events"`
	Slowest   time.Duration  `json:"slowest_recovery_ns"`
	Bound     time.Duration  `json:"bound_ns"`
	Written   int            `json:"written"`
	Unfenced  int            `json:"lost_unfenced"`
	Fenced    int            `json:"lost_fenced"`
	Refused   int            `json:"refused_by_fence"`
	Faults    []string       `json:"faults"`
	Directory string         `json:"directory,omitempty"` // what is left to look at, if there are faults
}

// judge reads what everybody wrote.
func (e *election) judge(fault error) (verdict, error) {
	v := verdict{Store: e.stand.Name, Rounds: e.rounds, Blows: e.count, Slowest: e.slowest, Bound: e.bound()}
	plain, fenced := e.resource.sets["plain"], e.resource.sets["fenced"]
	v.Written, v.Refused = len(plain.written)+len(fenced.written), fenced.refused
	v.Unfenced, v.Fenced = plain.lost(), fenced.lost()
	faults := []error{fault}
	if v.Fenced > 0 {
		faults = append(faults, fmt.Errorf("%d elements that were written with their term are lost", v.Fenced))
	}
	grace := fsm.Timing{TTL: e.stand.TTL}.Derive().Grace
	var all []interval
	audit := &simulate.Auditor{}
	for _, p := range e.processes {
		entries, err := readFile(p.path(e.dir, "diary"), readDiary)
		faults = append(faults, err)
		own, err := intervals(p.name, entries, p.paused, grace)
		faults = append(faults, err)
		all = append(all, own...)
		_, err = readFile(p.path(e.dir, "events"), func(f io.Reader) (any, error) { return nil, audit.Read(p.name, f) })
		faults = append(faults, err)
	}
	faults = append(faults, check(all)...)
	r := audit.Report()
	v.Tenures, v.Events = len(all), r.Events
	for _, i := range all {
		if i.cut {
			v.Cut++
		}
	}
	for _, f := range r.Findings {
		if !f.Warning {
			faults = append(faults, fmt.Errorf("audit: %v", f))
		}
	}
	for _, f := range faults {
		if f != nil {
			v.Faults, v.Directory = append(v.Faults, f.Error()), e.dir
		}
	}
	if v.Faults != nil {
		return v, nil
	}
	return v, os.RemoveAll(e.dir)
}

func readFile[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return none, nil // it never led
	}
	if err != nil {
		return none, err
	}
	defer func() { _ = f.Close() }()
	return read(f)
}

// intervals makes intervals out of the diary of one process. One ends with its last entry if the process was killed.
// One is cut at the first pause that falls into it, and where two entries are further apart than the grace: the machine
// gave the process no time to be cooperative.
func intervals(who string, entries []entry, paused []span, grace time.Duration) ([]interval, error) {
	var all []interval
	var open *interval
	for _, n := range entries {
		switch {
		case n.what == begun:
			all = append(all, interval{who: who, term: n.term, span: span{n.at, n.at}})
			open = &all[len(all)-1]
			continue
		case open == nil || open.term != n.term:
			return all, fmt.Errorf("%s: its diary has %c of term %d without a beginning", who, n.what, n.term)
		case open.cut:
		case stopped(paused, open.to, n.at):
			open.cut = true
		case n.at.Sub(open.to) > grace:
			open.cut = true
		default:
			open.to = n.at
		}
		if n.what == returned {
			open = nil
		}
	}
	return all, nil
}

// stopped reports whether a process was stopped at some moment between two instants.
func stopped(paused []span, from, to hostclock.Instant) bool {
	return slices.ContainsFunc(paused, func(s span) bool { return s.from < to && (s.to == 0 || s.to > from) })
}

// check returns every broken promise: two intervals at once, or a term that is not greater than those before.
func check(all []interval) []error {
	slices.SortFunc(all, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	var faults []error
	for i := 1; i < len(all); i++ {
		now := all[i]
		for _, before := range all[:i] {
			if before.to > now.from {
				faults = append(faults, fmt.Errorf("two at once for %v: %s under term %d and %s under term %d",
					min(before.to, now.to).Sub(now.from), before.who, before.term, now.who, now.term))
			}
			if before.term >= now.term {
				faults = append(faults, fmt.Errorf("R4: %s led under term %d after %s had led under term %d",
					now.who, now.term, before.who, before.term))
			}
		}
	}
	return faults
}
