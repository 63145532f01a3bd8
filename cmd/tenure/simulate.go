package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/simulate"
)

const simulateHelp = `It plays elections with everything that can go wrong, in virtual time, over the very election that
"tenure run" runs: a range of seeds, each of which draws its own faults, or one scenario. It stops
at the first schedule that breaks a rule, makes it small, and shows it. The network and the store
are models: these are elections, not databases.

  --seeds N      how many schedules; default 10000. With 1, that schedule is shown.
  --first N      the first seed; default 0
  --nodes N      how many nodes stand; default 5
  --ttl D        length of the lease; default 15s
  --store KIND   what the store is like: expiring (it lets leases run out), register (it only
                 compares and swaps) or forgetful (it loses writes, which is outside of the
                 promise); default expiring
  --replay WHAT  play one scenario: a file, "-" for standard input, or a token such as t1:...
  --shrink       with --replay: make it small before it is shown
  --cover        fail, too, if something was never met: a move of the election, a rare event that
                 schedules are meant to have, or a situation that can be reached (a state, what came
                 in, and a fault that was active then); takes some 200000 schedules of 5 nodes
  --html FILE    write what is shown as a page that opens in any browser; likewise
  --mermaid FILE   as a sequence diagram in the language of mermaid.js
  --perfetto FILE  as a trace for ui.perfetto.dev or chrome://tracing

With --explore it visits every state that a small world can reach, and says what that world was:

  --nodes N      default 2, at most 4
  --store KIND   expiring or register
  --crashes N    how many times a process may die; default 0. Likewise:
  --pauses N     how many times one may stand still
  --resigns N    how many times a leader may be asked to resign
  --hands N      how many times a leader may be asked to hand over
  --cordons N    how many times a node may be asked not to lead
  --stops N      how many times a process may be asked to stop
  --returns N    how many times work may return by itself
  --news N       how many times a watch may show a node what the store has
  --errors N     how many requests may be answered with an error, carried out or not
  --letters N    how many messages of a node may be under way at once, 1 or 2; default 1
  --heal         from every state, heal everything and see that somebody leads
  --max-states N where to give up; default 50 million

It exits with 0 if no rule is broken (what lies outside of the promise, such as a store that loses
writes, breaks none); with 1 if one is, if --explore had to give up, or if --cover misses something;
with 64 on wrong usage or a scenario that cannot be read; with 130 when interrupted.
`

func simulateCommand() *command {
	return &command{
		name: "simulate", args: "[flags] [FILE|TOKEN]", summary: "play elections in which everything goes wrong",
		about: simulateHelp, run: simulation,
	}
}

// statusInterrupted is what shells report of a program that SIGINT has ended.
const statusInterrupted = 130

// simulating is the command line of simulate, and where it writes to.
type simulating struct {
	replay, store     string
	html              string // files to write, one of each kind; empty: none
	mermaid, perfetto string
	seeds             int
	first             uint64
	nodes             int
	ttl               time.Duration
	shrink, explore   bool
	cover             bool
	small             simulate.Small
	out               io.Writer
	progress          *progress
}

func simulation(c *command, args []string, out io.Writer) (int, error) {
	s := simulating{out: out, progress: newProgress(os.Stderr)}
	f := newFlags(c)
	f.IntVar(&s.seeds, "seeds", 10_000, "")
	f.Uint64Var(&s.first, "first", 0, "")
	f.IntVar(&s.nodes, "nodes", 0, "")
	f.DurationVar(&s.ttl, "ttl", defaultTTL, "")
	f.StringVar(&s.store, "store", simulate.Expiring.String(), "")
	f.StringVar(&s.replay, "replay", "", "")
	f.BoolVar(&s.shrink, "shrink", false, "")
	for _, file := range s.files() {
		f.StringVar(file.path, file.flag, "", "")
	}
	f.BoolVar(&s.cover, "cover", false, "")
	f.BoolVar(&s.explore, "explore", false, "")
	for name, n := range s.budgets() {
		f.IntVar(n, name, 0, "")
	}
	f.IntVar(&s.small.Letters, "letters", 1, "")
	f.BoolVar(&s.small.Heal, "heal", false, "")
	f.IntVar(&s.small.MaxStates, "max-states", 50_000_000, "")
	rest, err := f.mixed(args)
	if err == nil {
		err = s.check(f, rest)
	}
	if err != nil {
		return statusUsage, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case s.explore:
		return s.everything(ctx)
	case s.replay != "":
		return s.one(ctx)
	}
	return s.campaign(ctx, simulate.Scenario{})
}

// budgets are the flags that say how often something may happen in a small world.
func (s *simulating) budgets() map[string]*int {
	return map[string]*int{
		"crashes": &s.small.Crashes, "pauses": &s.small.Pauses, "resigns": &s.small.Resigns, "hands": &s.small.Hands,
		"cordons": &s.small.Cordons, "stops": &s.small.Stops, "returns": &s.small.Returns, "news": &s.small.News,
		"errors": &s.small.Errors,
	}
}

// check returns an error that names what does not fit.
func (s *simulating) check(f *flags, rest []string) error {
	if len(rest) > 0 && s.replay == "" {
		s.replay, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("do not know what to do with %q; %s", rest[0], f.help())
	}
	mode := "--explore"
	others := []string{"seeds", "first", "ttl", "html", "mermaid", "perfetto", "shrink", "cover"}
	switch {
	case s.explore && s.replay != "":
		return fmt.Errorf("--explore does not go with a scenario; leave one of them out")
	case !s.explore && s.replay != "":
		mode, others = "a scenario, which says it itself", []string{"seeds", "first", "nodes", "ttl", "store", "cover"}
	case !s.explore:
		mode, others = "a range of seeds", []string{"shrink"}
	}
	if !s.explore {
		others = append(slices.AppendSeq(others, maps.Keys(s.budgets())), "letters", "heal", "max-states")
	}
	for _, name := range others {
		if f.given(name) {
			return fmt.Errorf("--%s does not go with %s; leave it out", name, mode)
		}
	}
	switch {
	case s.seeds < 1:
		return fmt.Errorf("--seeds %d plays nothing; give at least 1", s.seeds)
	case f.given("nodes") && s.nodes < 1:
		return fmt.Errorf("--nodes %d is no election; give at least 1", s.nodes)
	case s.cover && s.seeds == 1:
		return fmt.Errorf("--cover says nothing of a single schedule; give more --seeds")
	case s.ttl <= 0:
		return fmt.Errorf("--ttl %v is not positive; give a length of time, such as 15s", s.ttl)
	case s.small.MaxStates < 1:
		return fmt.Errorf("--max-states %d explores nothing; give at least 1", s.small.MaxStates)
	case s.small.Letters < 1:
		return fmt.Errorf("--letters %d lets nothing through; give 1 or 2", s.small.Letters)
	}
	for _, file := range s.files() {
		dir := filepath.Dir(*file.path)
		if at, err := os.Stat(dir); *file.path != "" && (err != nil || !at.IsDir()) {
			return fmt.Errorf("--%s %s: there is no directory %s; give a file in one that there is", file.flag, *file.path, dir)
		}
	}
	return nil
}

// scenario reads what is to be replayed: a token, a file or standard input.
func (s *simulating) scenario() (simulate.Scenario, error) {
	if at := strings.IndexByte(s.replay, ':'); at > 0 && at < 5 && !strings.ContainsAny(s.replay, `/\`) {
		return simulate.ParseToken(s.replay)
	}
	if s.replay == "-" {
		return simulate.Parse(os.Stdin)
	}
	file, err := os.Open(s.replay)
	if err != nil {
		return simulate.Scenario{}, fmt.Errorf("%w; give a file that holds a scenario, or a token", err)
	}
	defer file.Close()
	scenario, err := simulate.Parse(file)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.replay, err)
	}
	return scenario, err
}

// one plays one scenario and shows it.
func (s *simulating) one(context.Context) (int, error) {
	scenario, err := s.scenario()
	if err != nil {
		return statusUsage, plain(err)
	}
	shown, original := scenario, (*simulate.Scenario)(nil)
	if s.shrink {
		small, plays := simulate.Shrink(scenario)
		if len(small.Faults) < len(scenario.Faults) || small.Nodes < scenario.Nodes {
			original = &scenario
		}
		shown = small
		fmt.Fprintf(s.out, "%d of %d faults are needed (%d replays)\n", len(small.Faults), len(scenario.Faults), plays)
	}
	return s.show(shown, original)
}
