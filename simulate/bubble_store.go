package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
)

// Resource is what the work of a bubble writes to. It records every write that reaches it. Its methods may be called
// from anywhere in the bubble. It is reached over a network of its own, which no fault of At disturbs.
type Resource struct {
	w        *World
	name     string
	fenced   bool
	greatest lease.Term
	value    string // the last one accepted
	writes   []Write
}

// Write is one write that has reached a Resource.
type Write struct {
	At      time.Duration // true time since the beginning
	Node    int
	Term    lease.Term
	Value   string
	Refused bool // by the fence
}

// StaleError is how a fenced store refuses a write or a read: somebody leads under a greater term. Whoever gets it is
// to stop.
type StaleError struct {
	Resource string
	Term     lease.Term // of the write
	Greatest lease.Term // that the store has seen
}

// Error names the store and the two terms.
func (e *StaleError) Error() string {
	return fmt.Sprintf("simulate: %s refuses term %d; it has seen term %d", e.Resource, e.Term, e.Greatest)
}

// Writer writes to a Resource in the name of one tenure.
type Writer struct {
	r *Resource
	p *process
	t *actor.Tenure
}

// With returns a Writer that sends the term of t along with every write.
func (r *Resource) With(t *actor.Tenure) *Writer { return &Writer{r, r.w.processOf(t), t} }

// Writes returns what has been written, and what was refused, in the order in which it reached r.
func (r *Resource) Writes() []Write {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return slices.Clone(r.writes)
}

// write is a write that is under way.
type write struct {
	r     *Resource
	p     *process
	term  lease.Term
	value string
	reads bool // value is the answer
	err   error
	done  chan error // capacity 1
}

// Write sends value and waits for the answer: nil, or a *[StaleError]. If ctx ends first, its cause is returned, and
// the write may still reach the store; if it has ended before, nothing is sent. A process that stands still sends when
// it goes on.
func (k *Writer) Write(ctx context.Context, value string) error {
	return k.ask(ctx, &write{value: value})
}

// Read returns the value that was written last, empty if none was. A fenced store takes note of the term as it does
// when it is written to: or else a stale write could come after the read of a newer leader, who would not know of it.
// Errors are as with Write.
func (k *Writer) Read(ctx context.Context) (string, error) {
	a := &write{reads: true}
	if err := k.ask(ctx, a); err != nil {
		return "", err
	}
	return a.value, nil
}

// ask sends a and waits for the answer.
func (k *Writer) ask(ctx context.Context, a *write) error {
	if k.p == nil {
		return errDied
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	a.r, a.p, a.term, a.done = k.r, k.p, k.t.Term(), make(chan error, 1)
	w := k.r.w
	w.mu.Lock()
	if k.p.isGone() {
		w.mu.Unlock()
		return errDied
	}
	w.inbox.writes = append(w.inbox.writes, a)
	w.mu.Unlock()
	w.knock()
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.p.gone:
		return errDied
	}
}

// processOf returns the process that t leads on, nil if it is of another world.
func (w *World) processOf(t *actor.Tenure) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.holders[t.Lease().Holder]
}

// land is a write, or the wish to read, that has reached its resource.
func (w *World) land(it item) {
	k, s := w.writes[it.call], &w.world
	w.mu.Lock()
	defer w.mu.Unlock()
	r := k.r
	refused := r.fenced && k.term < r.greatest
	r.greatest = max(r.greatest, k.term)
	kind := Wrote
	if refused {
		kind = Barred
		k.err = &StaleError{r.name, k.term, r.greatest}
	}
	w.note(uint64(s.now), uint64(it.node), uint64(k.term), uint64(kind))
	w.noteText(r.name)
	switch {
	case k.reads && !refused:
		k.value = r.value
	case !k.reads:
		w.noteText(k.value)
		r.writes = append(r.writes, Write{time.Duration(s.now), int(it.node), k.term, k.value, refused})
		s.log(Entry{Node: int8(it.node), Kind: kind, Term: k.term})
		if !refused {
			r.value = k.value
		}
	}
	it.do, it.at, it.late = echoes, s.now+w.passage(it.node), false
	s.push(it)
}
