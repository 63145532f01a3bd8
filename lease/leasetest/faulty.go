package leasetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

var (
	_ lease.Manager = (*Faulty)(nil)
	_ lease.Watcher = (*Faulty)(nil)
	_ lease.Reader  = (*Faulty)(nil)
	_ lease.Limiter = (*Faulty)(nil)
)

// Faulty is a Manager whose calls go wrong according to a [Plan]. It counts them, too. Set the exported fields
// before the first call; it must not be copied after. All methods may be called at once from anywhere.
//
// It is a Watcher and a Reader as well: if Manager is none, Watch and Read return an error that is
// errors.ErrUnsupported. A plan can make Watch fail with ErrorBefore or ErrorAfter, and make it deaf with
// LostRequest, LostAnswer or Hang: it succeeds and tells nothing. Other faults leave Watch alone. News that a watch
// tells is never touched.
type Faulty struct {
	// Manager carries out the requests. Required.
	Manager lease.Manager
	// Plan says what goes wrong; nil: nothing. See Script and Seeded.
	Plan Plan
	// Clock measures delays; nil is the real clock. Only AfterFunc with Stop is used of it.
	Clock clock.Clock

	mu      sync.Mutex
	calls   int
	count   [methods]int
	nth     map[Call]int
	hanging int
	free    chan struct{} // closed by Free; nil: nobody hangs
	healed  chan struct{} // closed by Heal
	cured   bool
	late    sync.WaitGroup // requests whose callers may have gone
}

// Acquire is the Manager's, with the fault that the plan has for it.
func (f *Faulty) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	c := Call{Method: Acquire, Key: key, Holder: h.Name}
	return do(ctx, f, c, func(ctx context.Context) (lease.Lease, error) {
		return f.Manager.Acquire(ctx, key, h, ttl)
	})
}

// Renew is the Manager's, with the fault that the plan has for it.
func (f *Faulty) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	c := Call{Method: Renew, Key: l.Key, Holder: l.Holder.Name}
	_, err := do(ctx, f, c, func(ctx context.Context) (none, error) {
		return none{}, f.Manager.Renew(ctx, l, ttl)
	})
	return err
}

// Release is the Manager's, with the fault that the plan has for it.
func (f *Faulty) Release(ctx context.Context, l lease.Lease) error {
	c := Call{Method: Release, Key: l.Key, Holder: l.Holder.Name}
	_, err := do(ctx, f, c, func(ctx context.Context) (none, error) {
		return none{}, f.Manager.Release(ctx, l)
	})
	return err
}

// Read is the Manager's, with the fault that the plan has for it.
func (f *Faulty) Read(ctx context.Context, key string) (lease.Record, error) {
	return do(ctx, f, Call{Method: Read, Key: key}, func(ctx context.Context) (lease.Record, error) {
		r, ok := f.Manager.(lease.Reader)
		if !ok {
			return lease.Record{}, fmt.Errorf("leasetest: %T cannot read: %w", f.Manager, errors.ErrUnsupported)
		}
		return r.Read(ctx, key)
	})
}

// Watch is the Manager's, with the fault that the plan has for it.
func (f *Faulty) Watch(key string, changed func(lease.Record)) (stop func(), err error) {
	w, ok := f.Manager.(lease.Watcher)
	if !ok {
		return nil, fmt.Errorf("leasetest: %T cannot watch: %w", f.Manager, errors.ErrUnsupported)
	}
	switch fault := f.next(Call{Method: Watch, Key: key}); fault.Kind {
	case ErrorBefore, ErrorAfter:
		return nil, fault.err()
	case LostRequest, LostAnswer, Hang:
		return func() {}, nil
	}
	return w.Watch(key, changed)
}

// Limits are the Manager's.
func (f *Faulty) Limits() lease.Limits { return limits(f.Manager) }

// Count returns how often method m has been called so far, whatever became of the calls.
func (f *Faulty) Count(m Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m >= methods {
		return 0
	}
	return f.count[m]
}

// Hanging returns how many calls hang at present: those with the fault Hang.
func (f *Faulty) Hanging() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hanging
}

// Free lets the calls go on that hang at present. Later ones hang anew.
func (f *Faulty) Free() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.free != nil {
		close(f.free)
		f.free = nil
	}
}

// Heal ends all faults for good: later calls go well, every call that waits goes on at once, and late requests are
// carried out before it returns. Lost calls whose context has not ended return ErrInjected. It may be called again.
// Call it at the end of a test that used LateRequest or Hang, so that no goroutine is left.
func (f *Faulty) Heal() {
	f.mu.Lock()
	if !f.cured {
		f.cured = true
		close(f.cure())
	}
	f.mu.Unlock()
	f.late.Wait()
}

type none struct{}

func (f Fault) err() error {
	if f.Err == nil {
		return ErrInjected
	}
	return f.Err
}

// cure returns the channel that Heal closes. The caller holds mu.
func (f *Faulty) cure() chan struct{} {
	if f.healed == nil {
		f.healed = make(chan struct{})
	}
	return f.healed
}

// next counts a call and asks the plan about it.
func (f *Faulty) next(c Call) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.nth == nil {
		f.nth = make(map[Call]int)
	}
	f.nth[c]++ // Number and Nth are still zero here
	f.calls++
	f.count[c.Method]++
	c.Nth, c.Number = f.nth[c], f.calls
	if f.Plan == nil || f.cured {
		return Fault{}
	}
	fault := f.Plan(c)
	if fault.Kind == LateRequest {
		f.late.Add(1) // under mu, so that Heal cannot miss it
	}
	return fault
}

// do makes one call with its fault.
func do[R any](ctx context.Context, f *Faulty, c Call, request func(context.Context) (R, error)) (R, error) {
	var nothing R
	switch fault := f.next(c); fault.Kind {
	case Slow:
		if !f.pause(ctx.Done(), fault.Delay) {
			return nothing, gone(ctx, c)
		}
		return request(ctx)
	case ErrorBefore:
		return nothing, fault.err()
	case ErrorAfter:
		_, _ = request(ctx)
		return nothing, fault.err()
	case LostRequest:
		return nothing, f.lost(ctx, c)
	case LostAnswer:
		_, _ = request(ctx)
		return nothing, f.lost(ctx, c)
	case LateRequest:
		return later(ctx, f, c, fault.Delay, request)
	case LateAnswer:
		answer, err := request(ctx)
		f.pause(nil, fault.Delay)
		return answer, err
	case Hang:
		f.hang()
		return request(ctx)
	default:
		return request(ctx)
	}
}

// later carries the request out after d, and answers if the caller still waits.
func later[R any](
	ctx context.Context, f *Faulty, c Call, d time.Duration, request func(context.Context) (R, error),
) (R, error) {
	type answer struct {
		value R
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer f.late.Done()
		f.pause(nil, d)
		value, err := request(context.WithoutCancel(ctx))
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var nothing R
		return nothing, gone(ctx, c)
	}
}

// pause waits until d is over by the clock, or Heal cuts it short. It reports false if the caller was gone before.
func (f *Faulty) pause(gone <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	clk := f.Clock
	if clk == nil {
		clk = clock.New()
	}
	over := make(chan struct{})
	timer := clk.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	f.mu.Lock()
	healed := f.cure()
	f.mu.Unlock()
	select {
	case <-over:
	case <-healed:
	case <-gone:
		return false
	}
	return true
}

// lost waits for the end of the context, as one does for an answer that will not come.
func (f *Faulty) lost(ctx context.Context, c Call) error {
	f.mu.Lock()
	healed := f.cure()
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return gone(ctx, c)
	case <-healed:
		return ErrInjected
	}
}

// hang waits for Free or Heal.
func (f *Faulty) hang() {
	f.mu.Lock()
	if f.free == nil {
		f.free = make(chan struct{})
	}
	free, healed := f.free, f.cure()
	f.hanging++
	f.mu.Unlock()
	select {
	case <-free:
	case <-healed:
	}
	f.mu.Lock()
	f.hanging--
	f.mu.Unlock()
}

func gone(ctx context.Context, c Call) error {
	return fmt.Errorf("leasetest: %s %q: %w", c.Method, c.Key, ctx.Err())
}
