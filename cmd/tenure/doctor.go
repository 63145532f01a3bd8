package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
)

// doctorKey is the key that a store is examined with. It is always the same, so that only one record stays behind.
const doctorKey = "tenure-doctor"

func doctorCommand() *command {
	return &command{
		name: "doctor", args: "[--rounds N] [STORE]", summary: "examine a store and say what TTLs it can carry", run: doctor,
		about: "  STORE       the store to examine, or TENURE_STORE\n" +
			"  --rounds N  how many calls to measure; default 200\n\n" +
			"It takes and gives back leases on the key \"" + doctorKey + "\", which stays behind with its term. It\n" +
			"exits with 0 if the store does what the safety of an election rests on, with 1 if it does not,\n" +
			"and with 69 if it cannot be used.\n",
	}
}

func doctor(c *command, args []string, out io.Writer) (int, error) {
	f := newFlags(c)
	rounds := f.Int("rounds", 200, "")
	rest, err := f.mixed(args)
	if address := os.Getenv("TENURE_STORE"); err == nil && len(rest) == 0 && address != "" {
		rest = []string{address}
	} else if err == nil {
		err = f.want(rest, "STORE")
	}
	if err == nil && rest[0] != os.Getenv("TENURE_STORE") {
		err = checkSecret(rest[0])
	}
	if err != nil {
		return statusUsage, err
	}
	if *rounds < 10 || *rounds > 100_000 {
		return usage("--rounds %d is not within 10..100000", *rounds)
	}
	m, code, err := openStore(rest[0])
	if err != nil {
		return code, err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	x := &examination{m: m.Manager, out: out, took: map[string][]time.Duration{}}
	if l, ok := m.Manager.(lease.Limiter); ok {
		x.limits = l.Limits()
	}
	err = x.answers(ctx)
	if err == nil {
		err = x.examine(ctx, *rounds)
	}
	if err != nil {
		return unusable(fmt.Errorf("store %s: %w", store.Redact(rest[0]), err))
	}
	if x.faults > 0 {
		return statusNo, fmt.Errorf("store %s has %d faults; do not run elections on it", store.Redact(rest[0]), x.faults)
	}
	x.advise()
	return 0, nil
}

// examination is what the doctor does and finds.
type examination struct {
	m      store.Manager
	out    io.Writer
	limits lease.Limits
	took   map[string][]time.Duration // by call
	faults int
}

// finding prints one line: what should be, and what is wrong with it, if anything.
func (x *examination) finding(what string, ok bool, instead any) {
	if ok {
		fmt.Fprintf(x.out, "  ok     %s\n", what)
		return
	}
	x.faults++
	fmt.Fprintf(x.out, "  FAULT  %s; instead: %v\n", what, instead)
}

// answers asks once, and not for long: whoever named the wrong host need not wait until all that follows would be over.
func (x *examination) answers(ctx context.Context) error {
	_, err := ask(ctx, x.m, doctorKey, answerWithin)
	return must(err)
}

func (x *examination) examine(ctx context.Context, rounds int) error {
	for _, step := range []func(context.Context) error{x.exclusion, x.conditions, x.contention, x.notice, x.expiry} {
		err := step(ctx)
		if err != nil && answered(err) {
			x.finding("what was granted can be used and given back", false, err)
		} else if err != nil {
			return err
		}
	}
	if x.faults > 0 {
		return nil // what a call takes that does not do its duty is of no interest
	}
	return x.measure(ctx, rounds)
}

// person returns somebody to hold leases.
func person(name string) lease.Holder {
	return lease.Holder{Name: name, Incarnation: lease.NewIncarnation()}
}

func (x *examination) ttl() time.Duration {
	ttl := max(10*time.Second, x.limits.MinTTL)
	if x.limits.Step > 0 {
		ttl = (ttl + x.limits.Step - 1) / x.limits.Step * x.limits.Step
	}
	return ttl
}

// must returns errors that are no answers.
func must(err error) error {
	if answered(err) {
		return nil
	}
	return err
}

func (x *examination) exclusion(ctx context.Context) error {
	a, b := person("doctor-a"), person("doctor-b")
	l, err := x.m.Acquire(ctx, doctorKey, a, x.ttl())
	if errors.Is(err, lease.ErrHeld) {
		return fmt.Errorf("another doctor is at work, or was killed: %v; try again later", err)
	}
	if err != nil {
		return err
	}
	x.finding("a free lease is granted", l.Term > 0 && l.Key == doctorKey && l.Holder.Is(a), l)
	_, err = x.m.Acquire(ctx, doctorKey, b, x.ttl())
	if must(err) != nil {
		return err
	}
	r, _ := lease.Refusal(err)
	x.finding("another holder is refused and told who leads", errors.Is(err, lease.ErrHeld) && r.Holder.Is(a), err)
	twin := person("doctor-a")
	_, err = x.m.Acquire(ctx, doctorKey, twin, x.ttl())
	if must(err) != nil {
		return err
	}
	x.finding("a second process of the same name is refused", errors.Is(err, lease.ErrHeld), err)
	r, err = x.m.Read(ctx, doctorKey)
	if err != nil {
		return err
	}
	x.finding("everybody can read who leads", r.Lease.Holder.Is(a) && r.Term == l.Term && r.Remaining != 0, r)
	return x.m.Release(ctx, l)
}

func (x *examination) conditions(ctx context.Context) error {
	a, b := person("doctor-a"), person("doctor-b")
	first, err := x.m.Acquire(ctx, doctorKey, a, x.ttl())
	if err != nil {
		return err
	}
	err = x.m.Renew(ctx, first, x.ttl())
	if must(err) != nil {
		return err
	}
	x.finding("the holder can renew", err == nil, err)
	if err := x.m.Release(ctx, first); err != nil {
		return err
	}
	err = x.m.Release(ctx, first)
	if must(err) != nil {
		return err
	}
	x.finding("releasing twice does no harm", err == nil || errors.Is(err, lease.ErrLost), err)
	second, err := x.m.Acquire(ctx, doctorKey, b, x.ttl())
	if must(err) != nil {
		return err
	}
	x.finding("a released lease is free at once, under a greater term", err == nil && second.Term > first.Term,
		fmt.Sprintf("term %d after %d, %v", second.Term, first.Term, err))
	late := x.m.Renew(ctx, first, x.ttl())
	if must(late) != nil {
		return late
	}
	x.finding("a renewal of an older term is refused", errors.Is(late, lease.ErrLost), late)
	late = x.m.Release(ctx, first)
	if must(late) != nil {
		return late
	}
	r, err := x.m.Read(ctx, doctorKey)
	if err != nil {
		return err
	}
	x.finding("a release of an older term changes nothing", r.Holder.Is(b) && r.Term == second.Term, r)
	return x.m.Release(ctx, second)
}

func (x *examination) contention(ctx context.Context) error {
	const contenders = 8
	var all sync.WaitGroup
	var mu sync.Mutex
	var won []lease.Lease
	var fault error
	for i := range contenders {
		all.Go(func() {
			l, err := x.m.Acquire(ctx, doctorKey, person(fmt.Sprint("doctor-", i)), x.ttl())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, l)
			} else if must(err) != nil {
				fault = err
			}
		})
	}
	all.Wait()
	if fault != nil && len(won) == 0 {
		return fault
	}
	x.finding(fmt.Sprintf("of %d contenders at once one wins", contenders), len(won) == 1, fmt.Sprintf("%d won", len(won)))
	for _, l := range won {
		if err := x.m.Release(ctx, l); err != nil && len(won) == 1 {
			return err
		}
	}
	return nil
}

// notice sees how soon a watcher hears of a release.
func (x *examination) notice(ctx context.Context) error {
	w, ok := x.m.(lease.Watcher)
	if !ok {
		fmt.Fprintf(x.out, "         it tells nobody of changes; followers find out when they look\n")
		return nil
	}
	l, err := x.m.Acquire(ctx, doctorKey, person("doctor-a"), x.ttl())
	if err != nil {
		return err
	}
	told := make(chan struct{}, 1)
	stop, err := w.Watch(doctorKey, func(r lease.Record) {
		if r.Vacant() && r.Term == l.Term {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	begin := time.Now()
	if err := x.m.Release(ctx, l); err != nil {
		return err
	}
	select {
	case <-told:
		x.finding("a watcher hears of a release", true, nil)
		fmt.Fprintf(x.out, "         after %v\n", round(time.Since(begin)))
	case <-time.After(5 * time.Second):
		x.finding("a watcher hears of a release", false, "not within 5s")
	}
	return nil
}

// expiry sees whether a lease lasts as long as it should, and not for ever.
func (x *examination) expiry(ctx context.Context) error {
	ttl := max(500*time.Millisecond, x.limits.MinTTL)
	if x.limits.Step > 0 {
		ttl = (ttl + x.limits.Step - 1) / x.limits.Step * x.limits.Step
	}
	begin := time.Now()
	old, err := x.m.Acquire(ctx, doctorKey, person("doctor-a"), ttl)
	if err != nil {
		return err
	}
	granted := time.Now() // the store counts from a moment between the two
	b := person("doctor-b")
	for {
		sent := time.Now()
		l, err := x.m.Acquire(ctx, doctorKey, b, ttl)
		switch {
		case err == nil:
			what := fmt.Sprintf("a lease of %v that is not renewed lasts as long and is free then", ttl)
			x.finding(what, time.Since(begin) >= ttl && l.Term > old.Term, fmt.Sprintf("free after %v", time.Since(begin)))
			fmt.Fprintf(x.out, "         free %v after its end\n", round(max(0, sent.Sub(granted)-ttl)))
			return x.m.Release(ctx, l)
		case must(err) != nil:
			return err
		case time.Since(begin) > 3*ttl+time.Second:
			x.finding("a lease that is not renewed ends", false, "still held after three times its length")
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (x *examination) measure(ctx context.Context, rounds int) error {
	a := person("doctor-a")
	timed := func(call string, f func() error) error {
		begin := time.Now()
		err := f()
		x.took[call] = append(x.took[call], time.Since(begin))
		return err
	}
	for range rounds {
		var l lease.Lease
		err := timed("acquire", func() (err error) { l, err = x.m.Acquire(ctx, doctorKey, a, x.ttl()); return })
		if err == nil {
			err = timed("renew", func() error { return x.m.Renew(ctx, l, x.ttl()) })
		}
		if err == nil {
			err = timed("release", func() error { return x.m.Release(ctx, l) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// advise says what the measured calls mean for the length of leases.
func (x *examination) advise() {
	slowest := time.Duration(0)
	for _, call := range []string{"acquire", "renew", "release"} {
		d := x.took[call]
		slices.Sort(d)
		worst := d[len(d)-1]
		slowest = max(slowest, worst)
		fmt.Fprintf(x.out, "  time   %-7s  median %v, 99 of 100 within %v, slowest %v\n",
			call, round(d[len(d)/2]), round(d[len(d)*99/100]), round(worst))
	}
	least := advised(slowest, x.limits)
	fmt.Fprintf(x.out, "advice: TTLs of %v and more; a call may take a sixth of the TTL, and the slowest took %v.\n",
		least, round(slowest))
	if x.limits.MaxTTL > 0 {
		fmt.Fprintf(x.out, "        The store grants at most %v.\n", x.limits.MaxTTL)
	}
	t := fsm.Timing{TTL: least}.Derive()
	fmt.Fprintf(x.out, "        With %v a leader that crashed is replaced within %v.\n", least, round(t.CrashFailover()))
}

// advised is the shortest TTL that leaves a call ten times as long as the slowest took, in steps of the store.
func advised(slowest time.Duration, l lease.Limits) time.Duration {
	const times = 10 * 6 // a call may take TTL/6
	least := max(time.Second, l.MinTTL, slowest*times)
	step := max(l.Step, 100*time.Millisecond)
	if least > 10*time.Second {
		step = max(l.Step, time.Second)
	}
	return (least + step - 1) / step * step
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}
