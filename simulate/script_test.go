package simulate

import (
	"strings"
	"testing"
	"time"
)

func TestEveryFaultReadsBackAsItIsWritten(t *testing.T) {
	for k := FaultKind(1); int(k) < faultKinds; k++ {
		f, s := Fault{Kind: k, Target: 2}, shapes[k]
		if s.store {
			f.Target = TheStore
		}
		if s.call || s.count {
			f.Call = 7
		}
		if !s.call {
			f.At = 1500 * time.Millisecond
		}
		if s.span {
			f.For = 3 * time.Second
		}
		if s.by && !s.count {
			f.By = 250 * time.Millisecond
		}
		if s.ppm {
			f.By = -300
		}
		got, err := ParseFault(f.String())
		if err != nil || got != f {
			t.Errorf("%q reads back as %+v (%v), want %+v", f, got, err, f)
		}
	}
}

func TestABadScriptIsRefusedWithTheLineAndTheWordAtFault(t *testing.T) {
	const head = "tenure scenario 1\n"
	for _, c := range []struct{ script, want string }{
		{"nodes 3\n", `begins with "tenure scenario 1"`},
		{"tenure scenario 2\n", `begins with "tenure scenario 1"`},
		{head + "explode n0 at 1s\n", `line 2: simulate: unknown fault "explode"; known are crash`},
		{head + "nodes 3\npause n7 at 1s for 2s\n", "there is no node n7 among 3"},
		{head + "pause x at 1s for 2s\n", `"x" is not a node; write n0, n1, ... or leader`},
		{head + "pause n0 at -1s for 2s\n", `at "-1s" is not a length of time of at least 0`},
		{head + "pause n0 at 1s\n", `pause needs "for" and a value`},
		{head + "pause n0 at 1s for\n", `nothing follows "for"`},
		{head + "pause n0 at 1s for 1s by 1s\n", `unexpected "by"`},
		{head + "lose-call n0 3\n", "needs the number of a request, such as #3"},
		{head + "lose-call n0 #0\n", "they count from #1"},
		{head + "brink n0 at 1s by later\n", `"later" is not a length of time`},
		{head + "brink n0 at -1s by -5ms\n", `at "-1s" is not a length of time of at least 0`},
		{head + "hunt-leader at 1s for 2s\n", `hunt-leader needs "by" and a value`},
		{head + "hunt-deadline at 1s for 2s by 0s\n", "hunt-deadline: by 0s is no length of time"},
		{head + "rolling-restart n0 at 1s for 2s by 3s\n", `rolling-restart: unexpected "n0"`},
		{head + "nodes 99\n", "1 to 16 can be simulated"},
		{head + "nodes many\n", `nodes: "many" cannot be read`},
		{head + "store wood\n", `unknown store "wood"; known are expiring, register, forgetful`},
		{head + "heal 2m\nend 1m\n", "give 0 <= heal < end"},
		{head + "ttl 0s\nrenew 20s\n", "Renew 20s"},
		{"", `it begins with "tenure scenario 1"`},
	} {
		_, err := Parse(strings.NewReader(c.script))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.script, err, c.want)
		}
	}
}

func TestATokenReplaysTheScenarioAndNothingElseDoes(t *testing.T) {
	s := Plan(Scenario{Nodes: 5}, 7)
	back, err := ParseToken(s.Token())
	if err != nil || back.String() != s.String() {
		t.Fatalf("%v\n%s\n%s", err, back, s)
	}
	for token, want := range map[string]string{
		"":                           "is no token",
		"hello":                      "is no token",
		"t9:abc":                     `is of version "t9", this is "t1"`,
		"t1:!!!":                     "is damaged",
		s.Token()[:len(s.Token())/2]: "is damaged",
	} {
		if _, err := ParseToken(token); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", token, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Plan(Scenario{Nodes: 5}, 1).String())
	f.Add("tenure scenario 1\npause leader at 1s for 2s\n")
	f.Fuzz(func(t *testing.T, script string) {
		s, err := Parse(strings.NewReader(script))
		if err != nil {
			return
		}
		again, err := Parse(strings.NewReader(s.String()))
		if err != nil || again.String() != s.String() {
			t.Errorf("%q reads back as %q: %v", s, again, err)
		}
	})
}
