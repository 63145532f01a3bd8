package register

import (
	"errors"
	"strings"
)

// oneLine is an error whose text has no line breaks, so that joined causes read as one sentence in a log.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }

// first is the error of a write, if there was one, and of the look that was to settle it: the text is that of the
// first, since the second mostly repeats it, unless the first is a mere conflict; errors.Is sees both.
type first struct{ write, look error }

func (e first) Error() string {
	if e.write == nil || errors.Is(e.write, ErrConflict) {
		return e.look.Error()
	}
	return e.write.Error()
}

func (e first) Unwrap() []error {
	if e.write == nil {
		return []error{e.look}
	}
	return []error{e.write, e.look}
}
