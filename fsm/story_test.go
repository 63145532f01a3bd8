package fsm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

var update = flag.Bool("update", false, "rewrite what the stories in testdata are expected to tell")

// A story is a script in testdata: comments (#), a line that sets the timing of a new machine, and inputs, each with
// what the machine makes of it beside it, indented. An input is an instant, a kind and what goes with it:
//
//	timing TTL=15s
//	0s tick
//		follower -> acquiring (due)
//		call 1: acquire, within 2.5s
//		wake 2.5s
//	wake unknown permanent
//
// The instant is a length of time since the beginning, or since the input before (+1s), or "wake". An answer is the one
// that is awaited, unless it says call=N and op=acquire. Every story is judged by the rules as well.
type story struct {
	world
	now  Instant
	told strings.Builder
}

func TestStoriesEndAsWritten(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) < 16 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tellStory(string(script))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if got == string(script) {
				return
			}
			if !*update {
				t.Fatalf("%s ends otherwise (-update rewrites it):\n%s", file, got)
			}
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// tellStory plays script and returns it with what happens.
func tellStory(script string) (string, error) {
	var s story
	for n, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		s.told.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.line(strings.Fields(line)); err != nil {
			return "", fmt.Errorf("line %d: %s: %w", n+1, line, err)
		}
	}
	return s.told.String(), nil
}

func (s *story) line(words []string) error {
	if words[0] == "timing" {
		timing, err := parseTiming(words[1:])
		s.world, s.now = newWorld(&timing, 0), 0
		return err
	}
	in, err := s.input(words)
	if err != nil {
		return err
	}
	before := s.world
	c, broke := s.step(in)
	if broke != nil {
		return broke
	}
	s.tell(&before, c)
	var o outlook
	if broke = o.check(s.world, s.now); broke != nil {
		return broke
	}
	return nil
}

func parseTiming(words []string) (Timing, error) {
	t := Timing{Jitter: -1}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		d, err := time.ParseDuration(value)
		if err != nil {
			return t, err
		}
		switch name {
		case "TTL":
			t.TTL = d
		case "Grace":
			t.Grace = d
		case "Drain":
			t.Drain = d
		default:
			return t, fmt.Errorf("there is no %s", name)
		}
	}
	t = t.Derive()
	return t, t.Check()
}

// input reads an input line.
func (s *story) input(words []string) (Input, error) {
	var in Input
	at, since := words[0], Instant(0)
	if strings.HasPrefix(at, "+") {
		since = s.now
	}
	if at == "wake" {
		at, since = "0s", max(s.now, s.m.Wake())
	}
	d, err := time.ParseDuration(strings.TrimPrefix(at, "+"))
	if err != nil || len(words) < 2 || since == Never || since.Add(d) < s.now {
		return in, fmt.Errorf("an instant from %v on is wanted, and a kind of input (%v)", time.Duration(s.now), err)
	}
	s.now = since.Add(d)
	in.Now, in.Remaining = s.now, 0
	kind, ok := named[Kind](kinds, words[1])
	if !ok {
		return in, fmt.Errorf("there is no input %q", words[1])
	}
	in.Kind = kind
	if in.Kind == Granted || in.Kind == Refused || in.Kind == Unknown {
		in.Call, in.Op = s.owed, s.op
	}
	if in.Kind == Refused || in.Kind == Seen {
		in.Remaining = -1
	}
	for _, word := range words[2:] {
		if err := in.set(word); err != nil {
			return in, err
		}
	}
	return in, nil
}

// set reads one thing that goes with an input.
func (in *Input) set(word string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	ok := true
	switch name {
	case "permanent":
		in.Permanent = true
	case "call":
		in.Call, err = strconv.ParseUint(value, 10, 64)
	case "op":
		in.Op, ok = named[Op](ops, value)
	case "term":
		var term uint64
		term, err = strconv.ParseUint(value, 10, 64)
		in.Term = lease.Term(term)
	case "remaining":
		in.Remaining, err = time.ParseDuration(value)
	case "nobody", "other", "us":
		in.Who = map[string]Who{"nobody": Nobody, "other": Other, "us": Us}[name]
	case "returned", "errored", "over":
		in.Outcome = map[string]Outcome{"returned": Returned, "errored": Errored, "over": Over}[name]
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%q does not go with an input", word)
	}
	return err
}

// named finds the value with a name.
func named[T interface {
	~uint8
	fmt.Stringer
}](n int, name string) (T, bool) {
	for i := range n {
		if T(i).String() == name {
			return T(i), true
		}
	}
	return 0, false
}

// tell writes down what has become of the world before.
func (s *story) tell(before *world, c Call) {
	say := func(format string, args ...any) { fmt.Fprintf(&s.told, "\t"+format+"\n", args...) }
	was, is := &before.m, &s.m
	if was.State() != is.State() {
		say("%v -> %v (%v)", was.State(), is.State(), is.Reason())
	}
	if is.State() == Leader && (was.State() != Leader || was.Until() != is.Until()) {
		say("leads under term %d until %v", is.Term(), time.Duration(is.Until()))
	}
	if is.Overran() && !was.Overran() {
		say("the work outstays its time")
	}
	switch {
	case c.Op == Release && c.Number == 0:
		say("call: release of term %d, no answer awaited, within %v", c.Term, c.Timeout)
	case c.Op == Acquire:
		say("call %d: acquire, within %v", c.Number, c.Timeout)
	case c.Op != NoCall:
		say("call %d: %v of term %d, within %v", c.Number, c.Op, c.Term, c.Timeout)
	case *was == *is:
		say("nothing changes")
	}
	if is.Done() && !was.Done() {
		say("done")
	}
	if w := is.Wake(); w == Never {
		say("wake never")
	} else {
		say("wake %v", time.Duration(w))
	}
}
