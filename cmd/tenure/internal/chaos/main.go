//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/stands"
)

func main() { os.Exit(chaos(os.Args[1:], os.Stdout, os.Stderr)) }

// chaos returns 0 if every promise was kept, 1 if not, 2 if it could not be tried.
func chaos(args []string, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == "node" {
		if err := node(args[1:]); err != nil {
			fmt.Fprintln(errs, "chaos node:", err)
			return 1
		}
		return 0
	}
	c, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = c.run(ctx)
	}
	var broken brokenError
	switch {
	case errors.As(err, &broken):
		fmt.Fprintln(errs, "chaos:", err)
		return 1
	case err != nil:
		fmt.Fprintln(errs, "chaos:", err)
		return 2
	}
	return 0
}

type brokenError int

func (n brokenError) Error() string {
	return fmt.Sprintf("%d of the stores broke a promise; what is left of them is in the directories above", int(n))
}

// campaign is one run over several stores.
type campaign struct {
	stores []string
	length time.Duration
	atOnce int
	seed   uint64
	report string
	broken bool
	out    io.Writer
}

func parse(args []string, out io.Writer) (*campaign, error) {
	c := &campaign{out: out}
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(out)
	names := f.String("stores", strings.Join(stands.Names(), ","), "which `stores`, separated by commas")
	leave := f.String("without", "", "which `stores` to leave out, separated by commas")
	f.DurationVar(&c.length, "for", 2*time.Minute, "how long each store is broken")
	f.IntVar(&c.atOnce, "at-once", 3, "how many `stores` at the same time")
	f.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "what the nemesis draws from")
	f.StringVar(&c.report, "report", "", "`file` for the verdicts as JSON")
	f.BoolVar(&c.broken, "broken", false, "use a store that grants to everybody, to see that it is found out")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("do not know what to do with %q; see --help", f.Arg(0))
	}
	if c.length < time.Second || c.atOnce < 1 {
		return nil, errors.New("--for must be at least 1s and --at-once at least 1")
	}
	for _, name := range strings.Split(*names, ",") {
		if _, err := stands.Find(name); err != nil {
			return nil, err
		}
		if !slices.Contains(strings.Split(*leave, ","), name) {
			c.stores = append(c.stores, name)
		}
	}
	return c, nil
}

func (c *campaign) run(ctx context.Context) error {
	fmt.Fprintf(c.out, "chaos: %s; %v each, %d at once, --seed %d\n",
		strings.Join(c.stores, ", "), c.length, c.atOnce, c.seed)
	verdicts, faults := make([]verdict, len(c.stores)), make([]error, len(c.stores))
	room := make(chan struct{}, c.atOnce)
	var wg sync.WaitGroup
	for i, name := range c.stores {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			verdicts[i], faults[i] = c.one(ctx, name, c.seed+uint64(i))
		})
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	c.print(verdicts)
	if c.report != "" {
		text, err := json.MarshalIndent(verdicts, "", "  ")
		if err == nil {
			err = os.WriteFile(c.report, append(text, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	broken := 0
	for _, v := range verdicts {
		if len(v.Faults) > 0 {
			broken++
		}
	}
	if broken > 0 {
		return brokenError(broken)
	}
	return ctx.Err()
}

func (c *campaign) one(ctx context.Context, name string, seed uint64) (verdict, error) {
	if ctx.Err() != nil {
		return verdict{Store: name}, nil
	}
	kind, err := stands.Find(name)
	if err != nil {
		return verdict{}, err
	}
	s, err := stands.Open(ctx, kind)
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = s.Close() }()
	e, err := newElection(s, seed, c.out)
	if err != nil {
		return verdict{}, err
	}
	e.broken = c.broken
	return e.run(ctx, c.length)
}

func (c *campaign) print(all []verdict) {
	fmt.Fprintf(c.out, "\n%-12s %6s %5s %7s %4s %6s %18s %8s %15s %7s  %s\n", "store", "rounds", "blows", "tenures", "cut",
		"events", "slowest recovery", "writes", "lost unfenced", "fenced", "promise")
	for _, v := range all {
		blows := 0
		for n := range maps.Values(v.Blows) {
			blows += n
		}
		kept := "kept"
		if len(v.Faults) > 0 {
			kept = "BROKEN"
		}
		fmt.Fprintf(c.out, "%-12s %6d %5d %7d %4d %6d %8v of %6v %8d %15d %7d  %s\n", v.Store, v.Rounds, blows, v.Tenures,
			v.Cut, v.Events, v.Slowest.Round(10*time.Millisecond), v.Bound.Round(10*time.Millisecond), v.Written, v.Unfenced,
			v.Fenced, kept)
		for _, f := range v.Faults {
			fmt.Fprintf(c.out, "    %s\n", f)
		}
		if v.Directory != "" {
			fmt.Fprintf(c.out, "    diaries, events and logs: %s\n", v.Directory)
		}
	}
}
