package simulate

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ownRule is how the name of an expectation begins that is none of this package's; its number follows.
const ownRule = "expectation "

// unmet is a violation as an error: how an expectation of this package says what did not hold, and when.
type unmet struct{ Violation }

// Error says what was violated, and when.
func (u *unmet) Error() string { return u.String() }

// unmetAt is what an expectation of that name found at that time.
func unmetAt(name string, at time.Duration, format string, args ...any) error {
	return &unmet{Violation{Rule: name, At: at, Text: fmt.Sprintf(format, args...)}}
}

// judge looks at how it ended: what was violated, what was expected, and what of that was foreseen.
func (w *World) judge() {
	if v := &w.world.check.violation; v.Beyond {
		*v = Violation{}
	}
	w.trace.Violation, w.trace.Digest = w.world.check.violation, w.digest
	all := []Violation{w.trace.Violation}
	if all[0].Rule == "" {
		all = w.disappointments()
	}
	for _, v := range all {
		if slices.Contains(w.foreseen, v.Rule) {
			w.met = append(w.met, v)
		} else {
			w.failures = append(w.failures, fmt.Errorf("simulate: %w", &unmet{v}))
		}
		if w.trace.Violation.Rule == "" {
			w.mark(v)
		}
	}
}

// beyond takes note of a violation outside of the promise and goes on. Whether a fence has held will be seen.
func (w *World) beyond() {
	v := w.world.check.violation
	w.world.check.violation, v.Beyond = Violation{}, false
	for k := len(w.trace.Entries) - 1; k >= 0; k-- {
		if e := &w.trace.Entries[k]; e.Kind == Violated {
			e.Text = v.String() + " (outside of the promise)"
			return
		}
	}
}

// disappointments is what was expected and did not hold.
func (w *World) disappointments() (all []Violation) {
	for i, e := range w.expect {
		var err error
		w.guarded(func() { err = e(w) })
		if v := w.world.check.violation; v.Rule != "" { // it has panicked
			return []Violation{v}
		}
		parts := []error{err}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			parts = several.Unwrap()
		}
		for _, err := range parts {
			var u *unmet
			if errors.As(err, &u) {
				all = append(all, u.Violation)
			} else if err != nil {
				all = append(all, Violation{Rule: fmt.Sprint(ownRule, i+1), At: w.scenario.End, Text: err.Error()})
			}
		}
	}
	return all
}

// mark makes v the violation of the trace.
func (w *World) mark(v Violation) {
	t := w.trace
	t.Violation = v
	k := slices.IndexFunc(t.Entries, func(e Entry) bool { return e.At > v.At })
	if k < 0 {
		k = len(t.Entries)
	}
	t.Entries = slices.Insert(t.Entries, k, Entry{At: v.At, Node: -1, Kind: Violated, Text: v.String()})
}

// failure is the first thing that went wrong and was not foreseen. It has no rule if that was in what was declared.
func (w *World) failure() Violation {
	var u *unmet
	if len(w.failures) == 0 || !errors.As(w.failures[0], &u) {
		return Violation{}
	}
	return u.Violation
}

// guarded calls f, which is the user's. When a smaller script is tried a panic of f only says that it fails in another
// way.
func (w *World) guarded(f func()) {
	if w.script != nil {
		defer func() {
			if r := recover(); r != nil {
				w.world.check.fail(&w.world, "panic", "%v", r)
			}
		}()
	}
	f()
}
