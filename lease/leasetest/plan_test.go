package leasetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func TestAScriptIsDecidedByTheFirstStepThatFits(t *testing.T) {
	kind := func(k Kind) Fault { return Fault{Kind: k} }
	plan := Script(
		Step{Method: Renew, Key: "a", Nth: 2, Fault: kind(Hang)},
		Step{Number: 7, Fault: kind(Slow)},
		Step{Holder: "bob", Fault: kind(LostAnswer)},
		Step{Method: Release},
		Step{Key: "b", Fault: kind(ErrorAfter)},
	)
	for _, c := range []struct {
		call Call
		want Kind
	}{
		{Call{Renew, "a", "alice", 1, 1}, None},
		{Call{Renew, "a", "alice", 7, 2}, Hang},
		{Call{Renew, "a", "alice", 7, 3}, Slow},
		{Call{Release, "b", "bob", 2, 1}, LostAnswer},
		{Call{Release, "b", "alice", 2, 1}, None},
		{Call{Acquire, "b", "alice", 2, 1}, ErrorAfter},
	} {
		if got := plan(c.call).Kind; got != c.want {
			t.Errorf("%v: %v; want %v", c.call, got, c.want)
		}
	}
}

func TestCallsAreNumberedAllAndOfTheirKind(t *testing.T) {
	var seen []Call
	f, _ := around(func(c Call) Fault {
		seen = append(seen, c)
		return Fault{Kind: ErrorBefore}
	})
	bob := lease.Holder{Name: "bob", Incarnation: "2"}
	for range 2 {
		_, _ = f.Acquire(t.Context(), "a", alice, 1)
		_, _ = f.Acquire(t.Context(), "a", bob, 1)
		_ = f.Renew(t.Context(), lease.Lease{Key: "a", Holder: bob}, 1)
	}
	want := []Call{
		{Acquire, "a", "alice", 1, 1}, {Acquire, "a", "bob", 2, 1}, {Renew, "a", "bob", 3, 1},
		{Acquire, "a", "alice", 4, 2}, {Acquire, "a", "bob", 5, 2}, {Renew, "a", "bob", 6, 2},
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the plan saw %v; want %v", seen, want)
	}
}

// calls are those of three nodes on forty keys.
func calls() []Call {
	var all []Call
	for _, m := range []Method{Acquire, Renew, Release, Read} {
		for key := range 40 {
			for _, h := range []string{"a", "b", "c"} {
				for nth := range 20 {
					all = append(all, Call{Method: m, Key: fmt.Sprint("key-", key), Holder: h, Number: len(all), Nth: nth + 1})
				}
			}
		}
	}
	return all
}

func TestSeededFaultsComeAtTheirOdds(t *testing.T) {
	odds := Odds{
		Hang: 0.05, LostRequest: 0.05, LostAnswer: 0.05, LateRequest: 0.05, LateAnswer: 0.05, ErrorBefore: 0.05,
		ErrorAfter: 0.05, Slow: 0.05, Delay: time.Minute,
	}
	plan, all := Seeded(1, odds), calls()
	var n [kinds]int
	var delay time.Duration
	for _, c := range all {
		f := plan(c)
		n[f.Kind]++
		delay += f.Delay
		if f.Delay < 0 || f.Delay >= time.Minute {
			t.Fatalf("a delay of %v; want less than the longest", f.Delay)
		}
	}
	for k := Slow; k < kinds; k++ {
		if share := float64(n[k]) / float64(len(all)); share < 0.03 || share > 0.06 {
			t.Errorf("%v befell a share of %.3f; want about 0.04, as some are hidden by others", k, share)
		}
	}
	if mean := delay / time.Duration(len(all)-n[None]); mean < 27*time.Second || mean > 33*time.Second {
		t.Errorf("the mean delay is %v; want about 30s", mean)
	}
}

func TestOneSeededFaultTakenAwayDisturbsNoOther(t *testing.T) {
	odds := Odds{Hang: 0.1, LostAnswer: 0.2, Slow: 0.3, Delay: time.Minute}
	without := odds
	without.LostAnswer = 0
	full, less, again, other := Seeded(7, odds), Seeded(7, without), Seeded(7, odds), Seeded(8, odds)
	differ := 0
	for _, c := range calls() {
		f := full(c)
		if g := less(c); f.Kind != LostAnswer && f != g {
			t.Fatalf("%v: %+v; without lost answers %+v", c, f, g)
		}
		moved := c
		moved.Number += 1000
		if g := again(moved); f != g {
			t.Fatalf("%v: %+v; when other calls came before it %+v", c, f, g)
		}
		if other(c) != f {
			differ++
		}
	}
	if differ < 1000 {
		t.Errorf("another seed changes only %d faults", differ)
	}
}

func TestNamesOfMethodsAndKinds(t *testing.T) {
	names := make(map[string]bool)
	for m := Method(0); m <= methods; m++ {
		names[m.String()] = true
	}
	for k := Kind(0); k <= kinds; k++ {
		names[k.String()] = true
	}
	if len(names) != methods+kinds+1 || names[""] {
		t.Errorf("names are missing or the same: %v", names)
	}
	if got := (&Faulty{}).Count(methods); got != 0 {
		t.Errorf("Count of an unknown method = %d", got)
	}
}
