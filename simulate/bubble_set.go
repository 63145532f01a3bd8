package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// Set is a set that is kept as one value of a [Resource]: whoever adds to it reads the whole, puts the element in and
// writes the whole back. So whoever writes back what he has read too long ago undoes what others have added since. That
// is the test of locks that Jepsen runs against etcd and others, "set guarded by a lock" and "set with a fence".
type Set struct {
	// Takes is how long Add computes between reading and writing, by the clock of its process. Set it before time begins.
	Takes time.Duration

	r     *Resource
	added []Write // those that were confirmed; Value is the element. Guarded by World.mu.
}

// GuardedSet declares a set that nothing but the lease protects. A leader that stands still between reading and writing
// has it lose elements; no lease can keep that from happening.
func (w *World) GuardedSet(name string) *Set { return &Set{r: w.UnfencedStore(name)} }

// FencedSet declares a set that refuses to be read or written under a smaller term than it has seen. It loses nothing.
func (w *World) FencedSet(name string) *Set { return &Set{r: w.FencedStore(name)} }

// Add puts element, which must be one line, into the set in the name of the tenure t. The errors are those of
// [Writer.Write]; after one the element may be in the set or not. Elements are expected to differ.
func (s *Set) Add(ctx context.Context, t *actor.Tenure, element string) error {
	if element == "" || strings.Contains(element, "\n") {
		return fmt.Errorf("simulate: %s: %q cannot be added; give one line", s.r.name, element)
	}
	out, w := s.r.With(t), s.r.w
	all, err := out.Read(ctx)
	if err != nil {
		return err
	}
	if s.Takes > 0 {
		select {
		case <-w.ClockOf(t).After(s.Takes):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := out.Write(ctx, all+element+"\n"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.added = append(s.added, Write{At: w.Now(), Node: int(out.p.number), Term: t.Term(), Value: element})
	return nil
}

// Added returns what was added and confirmed, in order, and when, by whom and under which term.
func (s *Set) Added() []Write {
	s.r.w.mu.Lock()
	defer s.r.w.mu.Unlock()
	return slices.Clone(s.added)
}

// Lost returns those of Added that are not in the set.
func (s *Set) Lost() []Write {
	s.r.w.mu.Lock()
	defer s.r.w.mu.Unlock()
	there := map[string]bool{}
	for element := range strings.SplitSeq(s.r.value, "\n") {
		there[element] = true
	}
	return slices.DeleteFunc(slices.Clone(s.added), func(k Write) bool { return there[k.Value] })
}

// NothingLost expects that what was added to s, and confirmed, is in it at the end.
func NothingLost(s *Set) Expectation {
	if s == nil {
		return nil
	}
	return func(*World) error {
		lost := s.Lost()
		if len(lost) == 0 {
			return nil
		}
		first, there := lost[0], false
		for _, k := range s.r.Writes() {
			if k.Refused {
				continue
			}
			has := strings.Contains("\n"+k.Value, "\n"+first.Value+"\n")
			if there && !has {
				return unmetAt("NothingLost", k.At, "%s: n%d wrote under term %d without %q, which n%d had added at %v under "+
					"term %d; %d of %d elements are lost in the end",
					s.r.name, k.Node, k.Term, first.Value, first.Node, first.At.Round(time.Millisecond), first.Term,
					len(lost), len(s.Added()))
			}
			there = has
		}
		return unmetAt("NothingLost", first.At, "%s: %q was confirmed and never written", s.r.name, first.Value)
	}
}
