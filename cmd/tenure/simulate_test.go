//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/simulate"
)

// twoLead breaks a rule, outside of the promise: the store ends a lease early.
const twoLead = "tenure scenario 1\nnodes 3\nttl 15s\ncut n0 at 3s for 2s\nearly at 20s by 14s\n"

// nobodyLeads breaks a rule inside of it, because it leaves no time to recover.
const nobodyLeads = "tenure scenario 1\nnodes 2\nttl 15s\nheal 30s\nend 30.001s\n" +
	"down at 0s for 30s\ncut n1 at 3s for 2s\n"

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASeedRangeThatBreaksNothingExitsWithZeroAndSaysWhatWasPlayed(t *testing.T) {
	unused := filepath.Join(t.TempDir(), "page.html")
	status, out, errs := call(t, "simulate", "--seeds", "200", "--first", "7", "--nodes", "3", "--html", unused)
	if status != 0 || errs != "" {
		t.Fatalf("exit code is %d, %s", status, errs)
	}
	for _, want := range []string{
		"200 schedules of 3 nodes, ", " days simulated, ", "schedules/s\nin ", "digest ", "no rule is broken",
		"met: ", " of 18 moves, ", " situations that can be reached\n", " pairs of faults\n",
		unused + " was not written",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it says %q, want %q in it", out, want)
		}
	}
}

func TestACampaignThatMissesSomethingSaysWhatAndFailsIfAsked(t *testing.T) {
	args := []string{"simulate", "--seeds", "20", "--nodes", "1"}
	if status, out, errs := call(t, args...); status != 0 || strings.Contains(out, "never met") || errs != "" {
		t.Errorf("exit code is %d, output %s%s", status, out, errs)
	}
	status, out, errs := call(t, append(args, "--cover")...)
	if status != 1 || !strings.Contains(errs, "play more of them") {
		t.Errorf("exit code is %d, it says %s", status, errs)
	}
	for _, want := range []string{
		"\nnever met: the move from acquiring to releasing, late\n", "\nnever met: race lost\n",
		"\nnever met: follower stop lose-call\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q: %s", want, out)
		}
	}
}

func TestAStoreThatForgetsIsPlayedAndWhatTheFenceDidIsSaid(t *testing.T) {
	status, out, errs := call(t, "simulate", "--seeds", "500", "--store", "forgetful")
	if status != 0 || errs != "" || !strings.Contains(out, "no rule is broken inside of the promise;\noutside of it, ") {
		t.Errorf("exit code is %d, output %s%s", status, out, errs)
	}
}

func TestOneSeedIsShown(t *testing.T) {
	status, out, _ := call(t, "simulate", "--seeds", "1", "--first", "7")
	if status != 0 || !strings.HasPrefix(out, "seed 7  digest ") ||
		!strings.Contains(out, "replay: tenure simulate --replay t1:") {
		t.Errorf("exit code is %d, output %s", status, out)
	}
}

func TestAScenarioIsReplayedFromAFileATokenAndStandardInput(t *testing.T) {
	scenario, err := simulate.Parse(strings.NewReader(nobodyLeads))
	if err != nil {
		t.Fatal(err)
	}
	path := file(t, nobodyLeads)
	_, want, _ := call(t, "simulate", path)
	if !strings.HasPrefix(want, "FAIL live at 30.001s") {
		t.Fatalf("output is %s", want)
	}
	for _, args := range [][]string{{"--replay", path}, {scenario.Token()}, {"--replay", scenario.Token()}, {"-"}} {
		p := tenure(t, append([]string{"simulate"}, args...)...)
		p.cmd.Stdin = strings.NewReader(nobodyLeads)
		status := p.start(t).status(t)
		if status != 1 || p.out.String() != want {
			t.Errorf("%v: exit code is %d, output %s%s", args, status, p.out, p.err)
		}
	}
}

func TestAScenarioIsMadeSmallAndShownAsAPage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	diagram, trace := page+".mmd", page+".json"
	status, out, errs := call(t, "simulate", "--shrink", "--html", page, "--mermaid", diagram, "--perfetto", trace,
		file(t, nobodyLeads))
	if status != 1 || !strings.HasPrefix(out, "1 of 2 faults are needed (") ||
		!strings.HasSuffix(out, "page: "+page+"\ndiagram: "+diagram+"\ntrace: "+trace+"\n") {
		t.Errorf("exit code is %d, output %s%s", status, out, errs)
	}
	if !strings.HasPrefix(read(diagram), "sequenceDiagram\n") || !json.Valid([]byte(read(trace))) {
		t.Errorf("the diagram is %.100s, the trace %.100s", read(diagram), read(trace))
	}
	if text := read(page); !strings.Contains(text, "<b>live</b> is violated") ||
		!strings.Contains(text, "The schedule it was found in") {
		t.Errorf("the page has %d bytes and not what it should show", len(text))
	}
}

func TestWhatIsOutsideOfThePromiseIsShownAndNoFault(t *testing.T) {
	status, out, _ := call(t, "simulate", file(t, twoLead))
	if status != 0 || !strings.HasPrefix(out, "FAIL R1 at ") ||
		!strings.Contains(out, "(outside of the promise; the fence held)") {
		t.Errorf("exit code is %d, output %s", status, out)
	}
}

func TestACampaignThatFailsShowsTheSmallestScenarioAndExitsWithOne(t *testing.T) {
	var out bytes.Buffer
	s := simulating{
		seeds: 10_000, nodes: 2, ttl: 15 * time.Second, store: "expiring", out: &out, progress: &progress{},
		html: filepath.Join(t.TempDir(), "page.html"),
	}
	// With so little time to recover, some schedule must leave nobody to lead.
	status, err := s.campaign(context.Background(), simulate.Scenario{Heal: 40 * time.Second, End: 40*time.Second + 1})
	if status != statusNo || err != nil {
		t.Fatalf("exit code is %d, %v\n%s", status, err, &out)
	}
	for _, want := range []string{
		"violates live at ", "faults are needed (", "FAIL live", "replay: tenure simulate --replay t1:", "page: ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says %s\nwant %q in it", &out, want)
		}
	}
	if !strings.Contains(read(s.html), "The schedule it was found in") {
		t.Error("the page does not show the schedule it was found in")
	}
}

func TestProgressIsWrittenOverItselfAndTakenAway(t *testing.T) {
	var out, line bytes.Buffer
	s := simulating{seeds: 1000, nodes: 2, ttl: time.Second, store: "register", out: &out, progress: &progress{w: &line}}
	if status, err := s.campaign(context.Background(), simulate.Scenario{}); status != 0 || err != nil {
		t.Fatalf("exit code is %d, %v\n%s", status, err, &out)
	}
	text := line.String()
	if !strings.HasPrefix(text, "\r") || !strings.Contains(text, " left") || !strings.HasSuffix(text, " \r") {
		t.Errorf("progress is %q", text)
	}
	line.Reset()
	s.progress.last, s.nodes = time.Time{}, 1
	status, err := s.everything(context.Background())
	if status != 0 || err != nil || !strings.HasPrefix(line.String(), "\rexploring: 1 nodes") {
		t.Errorf("exit code is %d, %v, progress %q", status, err, &line)
	}
}

func TestASmallWorldIsExploredWholeAndItsScopeIsSaid(t *testing.T) {
	status, out, errs := call(t, "simulate", "--explore", "--nodes", "1", "--crashes", "1", "--pauses", "1", "--heal")
	if status != 0 || !strings.HasPrefix(out, "explored: 1 nodes, at most 1 crashes, 1 pauses, 0 resignations; ") ||
		!strings.Contains(out, ", complete; no rule is broken; ") || !strings.Contains(out, " states/s\n") {
		t.Errorf("exit code is %d, output %s%s", status, out, errs)
	}
	if _, out, _ := call(t, "simulate", "--explore", "--nodes", "1"); !strings.Contains(out, "no rule is broken\nin ") {
		t.Errorf("what was not explored is spoken of: %s", out)
	}
	_, out, _ = call(t, "simulate", "--explore", "--nodes", "1", "--store", "register")
	if !strings.Contains(out, "; a bare register; ") || !strings.Contains(out, "no rule is broken\nin ") {
		t.Errorf("over a register it says %s", out)
	}
	status, out, errs = call(t, "simulate", "--explore", "--max-states", "100")
	if status != 1 || !strings.Contains(out, "not complete") || !strings.Contains(errs, "raise --max-states") {
		t.Errorf("exit code is %d, output %s%s", status, out, errs)
	}
}

func TestASimulationThatIsInterruptedSaysHowFarItCame(t *testing.T) {
	p := start(t, "simulate", "--seeds", "2000000000")
	time.Sleep(300 * time.Millisecond) // real time: it cannot be seen from outside when it has begun
	p.signal(t, syscall.SIGINT)
	if status := p.status(t); status != 130 && status != -1 {
		t.Errorf("exit code is %d", status)
	} else if errs := p.err.String(); status == 130 && !strings.Contains(errs, "interrupted after ") {
		t.Errorf("it says %q", errs)
	}
}

func TestWhatCannotBeSimulatedIsAnsweredInOneLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"a", "b"}, `do not know what to do with "b"`},
		{[]string{"--seeds", "0"}, "--seeds 0 plays nothing; give at least 1"},
		{[]string{"--seeds", "many"}, `invalid value "many" for flag -seeds`},
		{[]string{"--nodes", "0"}, "--nodes 0 is no election"},
		{[]string{"--nodes", "17"}, "tenure simulate: 17 nodes; 1 to 16 can be simulated"},
		{[]string{"--nodes", "17", "--seeds", "1"}, "17 nodes; 1 to 16 can be simulated"},
		{[]string{"--ttl", "-1s"}, "--ttl -1s is not positive"},
		{[]string{"--store", "wood"}, `--store "wood" is unknown; known are expiring, register and forgetful`},
		{[]string{"--shrink"}, "--shrink does not go with a range of seeds"},
		{[]string{"--crashes", "1"}, "--crashes does not go with a range of seeds"},
		{[]string{"--explore", "--seeds", "5"}, "--seeds does not go with --explore"},
		{[]string{"--explore", "--html", "x"}, "--html does not go with --explore"},
		{[]string{"--explore", "--cover"}, "--cover does not go with --explore"},
		{[]string{"--seeds", "1", "--cover"}, "--cover says nothing of a single schedule"},
		{[]string{"--errors", "1"}, "--errors does not go with a range of seeds"},
		{[]string{"--explore", "--errors", "8"}, "Errors 8; 0 to 7 can be explored"},
		{[]string{"--explore", "x"}, "--explore does not go with a scenario"},
		{[]string{"--explore", "--nodes", "5"}, "5 nodes; 1 to 4 can be explored"},
		{[]string{"--explore", "--store", "forgetful"}, `--store "forgetful" is unknown; known are expiring and register`},
		{[]string{"--explore", "--store", "register", "--news", "1"}, "News 1, Errors 0; neither can be explored"},
		{[]string{"--explore", "--letters", "0"}, "--letters 0 lets nothing through"},
		{[]string{"--explore", "--letters", "3"}, "Letters 3; 1 or 2 can be explored"},
		{[]string{"--explore", "--crashes", "-1"}, "Crashes -1; 0 to 7 can be explored"},
		{[]string{"--explore", "--max-states", "0"}, "--max-states 0 explores nothing"},
		{[]string{"--nodes", "3", "x"}, "--nodes does not go with a scenario"},
		{[]string{"--html", "/no/such/dir/x.html"}, "there is no directory /no/such/dir"},
		{[]string{"--mermaid", "/no/such/dir/x", "--seeds", "1"}, "--mermaid /no/such/dir/x: there is no directory"},
		{[]string{"/no/such/file"}, "no such file or directory; give a file that holds a scenario, or a token"},
		{[]string{"t9:abc"}, `the token is of version "t9", this is "t1"`},
		{[]string{"t1:abc"}, "the token is damaged"},
		{[]string{file(t, "hello\n")}, `begins with "tenure scenario 1"`},
		{[]string{file(t, "tenure scenario 1\nexplode n0 at 1s\n")}, `line 2: unknown fault "explode"`},
		{[]string{file(t, "tenure scenario 1\nnodes 3\npause n7 at 1s for 2s\n")}, "there is no node n7 among 3"},
	} {
		status, out, errs := call(t, append([]string{"simulate"}, c.args...)...)
		if status != 64 || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "tenure simulate: ") {
			t.Errorf("%v: exit code is %d, output %q, %q", c.args, status, out, errs)
		}
		if !strings.Contains(errs, c.says) {
			t.Errorf("%v: it says %q, want %q in it", c.args, errs, c.says)
		}
	}
}
