//go:build linux

package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/cmd/tenure/internal/stands"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "node" { // a process of an election that a test runs
		os.Exit(chaos(os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

const ms = hostclock.Instant(time.Millisecond)

func TestAnElectionOnFilesKeepsItsPromiseWhateverIsBroken(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	var out strings.Builder
	args := []string{"--stores", "file", "--for", "12s", "--seed", "1", "--report", report}
	if code := chaos(args, &out, &out); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out.String())
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var all []verdict
	if err := json.Unmarshal(text, &all); err != nil || len(all) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	if v := all[0]; v.Rounds == 0 || v.Tenures < 2 || v.Events < 10 || v.Written < 100 || v.Directory != "" {
		t.Errorf("not much happened: %s", text)
	}
}

func TestAStoreThatGrantsToEverybodyIsFoundOut(t *testing.T) {
	var out strings.Builder
	if code := chaos([]string{"--stores", "file", "--for", "3s", "--seed", "1", "--broken"}, &out, &out); code != 1 {
		t.Fatalf("exit code %d:\n%s", code, out.String())
	}
	for _, part := range []string{"BROKEN", "two at once for", "diaries, events and logs:"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in:\n%s", part, out.String())
		}
	}
	_, dir, _ := strings.Cut(out.String(), "diaries, events and logs: ")
	dir = strings.TrimSpace(strings.SplitN(dir, "\n", 2)[0])
	if err := os.RemoveAll(dir); dir == "" || err != nil {
		t.Error(err)
	}
}

func TestBadArgumentsAreNamed(t *testing.T) {
	for args, says := range map[string]string{
		"--stores consul":         `there is no store "consul"; there are`,
		"--for 1ms":               "--for must be at least 1s",
		"--at-once 0":             "--at-once at least 1",
		"file":                    `do not know what to do with "file"`,
		"--stores file --for abc": "invalid value",
	} {
		var out strings.Builder
		if code := chaos(strings.Fields(args), &out, &out); code != 2 || !strings.Contains(out.String(), says) {
			t.Errorf("%s: exit code %d, %s", args, code, out.String())
		}
	}
}

func TestOverlapsAndFallingTermsAreFound(t *testing.T) {
	at := func(who string, term lease.Term, from, to hostclock.Instant) interval {
		return interval{who: who, term: term, span: span{from * ms, to * ms}}
	}
	for name, c := range map[string]struct {
		all  []interval
		says []string
	}{
		"one after the other": {[]interval{at("a", 1, 0, 10), at("b", 2, 10, 20), at("a", 3, 25, 30)}, nil},
		"by a moment":         {[]interval{at("a", 1, 0, 11), at("b", 2, 10, 20)}, []string{"two at once for 1ms"}},
		"one inside the other": {[]interval{at("a", 1, 0, 100), at("b", 2, 10, 20), at("c", 3, 30, 40)},
			[]string{"two at once for 10ms", "two at once for 10ms"}},
		"the same process twice": {[]interval{at("a", 1, 0, 10), at("a", 2, 5, 8)}, []string{"two at once"}},
		"a term comes back":      {[]interval{at("a", 2, 0, 10), at("b", 2, 10, 20)}, []string{"R4"}},
		"a term falls": {[]interval{at("a", 3, 0, 10), at("b", 4, 10, 20), at("a", 2, 30, 40)},
			[]string{"R4", "R4"}},
	} {
		faults := check(c.all)
		if len(faults) != len(c.says) {
			t.Errorf("%s: %v, want %q", name, faults, c.says)
			continue
		}
		for i, says := range c.says {
			if !strings.Contains(faults[i].Error(), says) {
				t.Errorf("%s: %v, want %q", name, faults[i], says)
			}
		}
	}
}

func TestIntervalsEndWithTheLastEntryAndAreCutAtAPause(t *testing.T) {
	const text = "B 1 1000000\nA 1 5000000\nA 1 9000000\nR 1 10000000\n" +
		"B 2 20000000\nA 2 24000000\nA 2 9" + // killed in the middle of an entry
		"B 5 40000000\nA 5 41000000\nA 5 60000000\nR 5 61000000\n" + // paused
		"B 7 70000000\nA 7 71000000\nA 7 99000000\nR 7 99500000\n" // the machine had no time
	entries, err := readDiary(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := intervals("a", entries, []span{{42 * ms, 59 * ms}}, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	want := []interval{
		{"a", 1, span{1 * ms, 10 * ms}, false}, {"a", 2, span{20 * ms, 24 * ms}, false},
		{"a", 5, span{40 * ms, 41 * ms}, true}, {"a", 7, span{70 * ms, 71 * ms}, true},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	entries = entries[1:]
	if _, err := intervals("a", entries, nil, time.Second); err == nil {
		t.Error("work that did not begin is no fault")
	}
}

func TestASetLosesElementsToTwoWritersUnlessItIsFenced(t *testing.T) {
	for _, fenced := range []bool{false, true} {
		r := &resource{sets: map[string]*set{"s": {fenced: fenced}}}
		say := func(line, want string) {
			t.Helper()
			if got := r.answer(line); got != want {
				t.Errorf("fenced %t: %q is answered %q, want %q", fenced, line, got, want)
			}
		}
		say("r s 1 a", "0")
		say("w s 1 a 0 x", "ok")
		say("r s 1 a", "1") // a is paused here
		say("r s 2 b", "1")
		say("w s 2 b 1 y", "ok")
		say("r t 2 b", "what?")
		say("hello", "what?")
		if fenced {
			say("w s 1 a 1 z", "refused")
			say("r s 1 a", "refused")
		} else {
			say("w s 1 a 1 z", "ok")
		}
		if lost := r.sets["s"].lost(); (lost == 1) == fenced {
			t.Errorf("fenced %t: %d elements are lost", fenced, lost)
		}
	}
}

func TestTwoBlowsThatLastTogetherDoNotHitTheSame(t *testing.T) {
	e := &election{
		stand:     &stands.Stand{Kind: stands.Kind{TTL: time.Second}, Server: &servers.Server{}},
		rng:       rand.New(rand.NewPCG(1, 1)),
		processes: []*process{{name: "n1"}, {name: "n2"}, {name: "n3"}},
		resource:  &resource{leader: "n2"},
	}
	drawn, pairs := map[string]int{}, 0
	for range 2000 {
		blows := e.draw()
		for _, b := range blows {
			drawn[b.name]++
			if b.hold < 300*time.Millisecond || b.hold > 2200*time.Millisecond {
				t.Fatalf("%v; want about half a lease to two", b)
			}
		}
		if len(blows) != 2 {
			continue
		}
		pairs++
		if a, b := blows[0], blows[1]; a.victim == b.victim || a.name == b.name || a.store && b.store {
			t.Fatalf("%v beside %v", a, b)
		}
	}
	if len(drawn) != len(faults()) || pairs < 800 || pairs > 1200 {
		t.Errorf("of 2000 draws %d are pairs, of %v", pairs, drawn)
	}
}
