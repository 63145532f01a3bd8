package simulate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
)

func TestCompositesAreMadeOfPlainFaultsThatHitWhatTheirNamesSay(t *testing.T) {
	trace := mustPlay(t, "nodes 3\nttl 15s\nrolling-restart at 10s for 2s by 6s\n")
	var stopped []int8
	for _, e := range trace.Entries {
		if e.Kind == Ended {
			stopped = append(stopped, e.Node)
		}
	}
	if !slices.Equal(stopped, []int8{0, 1, 2}) || trace.Violation.Rule != "" {
		t.Errorf("a rolling restart ends %v; %s", stopped, trace.Violation)
	}

	trace = mustPlay(t, "nodes 3\nttl 15s\nhunt-leader at 10s for 60s by 20s\n")
	leader, killed := int8(-1), 0
	for _, e := range trace.Entries {
		switch {
		case e.Kind == Moved && e.To == fsm.Leader:
			leader = e.Node
		case e.Kind == Crashed && e.Node != leader:
			t.Errorf("n%d is killed while n%d leads", e.Node, leader)
		case e.Kind == Crashed:
			killed++
		}
	}
	if killed < 3 || trace.Violation.Rule != "" {
		t.Errorf("%d leaders are killed in a minute; %s", killed, trace.Violation)
	}

	trace = mustPlay(t, "nodes 3\nttl 15s\nhunt-deadline at 10s for 60s by 40ms\n")
	var until time.Duration
	var beside []time.Duration
	for _, e := range trace.Entries {
		switch {
		case e.Kind == FaultBegan && e.Fault.Kind == Pause:
			beside = append(beside, (e.Fault.At + e.Fault.For - until).Round(time.Millisecond))
		case e.Until != 0:
			until = time.Duration(e.Until)
		}
	}
	if want := []time.Duration{-40 * time.Millisecond, 0, 40 * time.Millisecond}; len(beside) < 3 ||
		!slices.Equal(beside[:3], want) || trace.Violation.Rule != "" {
		t.Errorf("whoever leads wakes %v after its deadline; %s", beside, trace.Violation)
	}
}

func TestACompositeInAScriptIsTheSameAsInGo(t *testing.T) {
	s, err := Parse(strings.NewReader(firstLine + "\nhunt-leader at 10s for 1m by 20s\n" +
		"rolling-restart at 1s for 2s by 3s\nhunt-deadline at 5s for 10s by 1ms\nnodes 4\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(HuntLeader(10*time.Second, time.Minute, 20*time.Second),
		RollingRestart(4, time.Second, 2*time.Second, 3*time.Second),
		HuntDeadline(5*time.Second, 10*time.Second, 15*time.Second, time.Millisecond))
	if !slices.Equal(s.Faults, want) {
		t.Errorf("got %v\nwant %v", s.Faults, want)
	}
	for _, endless := range []time.Duration{0, -time.Second, time.Nanosecond} {
		if n := len(HuntLeader(0, time.Hour, endless)); n > 64 || n < 1 {
			t.Errorf("every %v makes %d faults", endless, n)
		}
	}
}

// Each of them is drawn, and only for stores that can have it.
func TestASwarmHasCompositesAndOnlyTheFaultsOfItsKindOfStore(t *testing.T) {
	for store := range StoreKind(storeKinds) {
		drawn := map[FaultKind]int{}
		rolling, hunted := 0, 0
		for seed := range uint64(2000) {
			s := Plan(Scenario{Nodes: 3, Store: store}, seed)
			leaders := 0
			for i, f := range s.Faults {
				drawn[f.Kind]++
				if f.Kind == Crash && f.Target == TheLeader {
					leaders++
				}
				if i == 2 && f.Kind == Leave && f.Target == 2 && s.Faults[0].Target == 0 && s.Faults[1].Target == 1 {
					rolling++
				}
			}
			if leaders > 3 {
				hunted++
			}
			if err := s.Check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for k := FaultKind(1); int(k) < faultKinds; k++ {
			if (drawn[k] > 0) != store.has(k) {
				t.Errorf("%v store: %v is drawn %d times", store, k, drawn[k])
			}
		}
		if rolling < 20 || hunted < 10 || drawn[Brink] < 100 {
			t.Errorf("%v store: %d rolling restarts, %d hunts, %d of deadlines", store, rolling, hunted, drawn[Brink])
		}
	}
}

func TestALeaseThatRunsOutLateIsWaitedFor(t *testing.T) {
	won := func(faults string) (at time.Duration) {
		trace := mustPlay(t, "nodes 2\nttl 15s\nwatch false\ncrash leader at 20s for 50s\n"+faults)
		for _, e := range trace.Entries {
			if e.Kind == Moved && e.To == fsm.Leader && at < 20*time.Second {
				at = e.At
			}
		}
		if trace.Violation.Rule != "" {
			t.Error(trace.Violation)
		}
		return at
	}
	if early, late := won(""), won("late at 21s by 10s\n"); late < early+9*time.Second {
		t.Errorf("the next leads at %v, and with a lease that ends 10 s late at %v", early, late)
	}
}

func TestAWriteThatWasTakenForAConflictIsFoundOnReadingBack(t *testing.T) {
	for _, request := range []string{"2", "3", "4"} {
		trace := mustPlay(t, "nodes 1\nttl 15s\nstore register\nconflict n0 #"+request+"\n")
		plain := mustPlay(t, "nodes 1\nttl 15s\nstore register\n")
		lost := 0
		for _, e := range trace.Entries {
			if e.Kind == Moved && e.From == fsm.Leader {
				lost++
			}
		}
		if lost > 0 || trace.Violation.Rule != "" || trace.Digest == plain.Digest {
			t.Errorf("request %s: leadership ends %d times; %s", request, lost, trace.Violation)
		}
	}
}

// The monotonic clock of a host that sleeps stands still: of a record that it watches it must not think that it has
// been the same for so long.
func TestASleepingHostDoesNotCountTheTimeOfARegister(t *testing.T) {
	for kind, want := range map[FaultKind]time.Duration{Pause: 10 * time.Second, Sleep: 0} {
		w := &world{}
		w.start(Scenario{Nodes: 1, Store: Register, Faults: []Fault{
			{Kind: kind, At: 20 * time.Second, For: 10 * time.Second},
		}}.complete())
		n := &w.nodes[0]
		for len(w.q.items) > 0 && w.q.items[0].at < int64(20*time.Second) {
			w.now = w.q.items[0].at
			w.happen(w.q.pop())
		}
		before := w.observer(n).Local
		for len(w.q.items) > 0 && w.q.items[0].at <= int64(30*time.Second) {
			w.now = w.q.items[0].at
			w.happen(w.q.pop())
		}
		counted := w.observer(n).Local - before
		if counted < want || counted > want+2500*time.Millisecond { // up to a call before
			t.Errorf("during a %v of 10 s the host counts %v", kind, counted)
		}
	}
}

func TestWhatLiesOutsideOfThePromiseIsToldWithWhetherTheFenceHeld(t *testing.T) {
	held := mustPlay(t, twoLead)
	if v := held.Violation; !v.Beyond || v.Unfenced ||
		!strings.HasSuffix(v.String(), "(outside of the promise; the fence held)") {
		t.Errorf("a lease that ends early: %s", v)
	}
	// The grant is forgotten, and the term is granted to one who has not heard of it: two tenures of one term.
	broken := mustPlay(t, "nodes 2\nttl 15s\nwatch false\ncrash n0 at 4s for 21s\nforget at 24.99s by 8\n")
	v := broken.Violation
	if !v.Beyond || !v.Unfenced || !strings.HasSuffix(v.String(), "(outside of the promise; the fence did not hold)") {
		t.Errorf("a grant that is forgotten: %s", v)
	}
	if page := pageOf(t, broken, held); !strings.Contains(page, "The fence did not hold.") {
		t.Error("the page does not say that the fence did not hold")
	}
	if page := pageOf(t, held, nil); !strings.Contains(page, "The fence held.") {
		t.Error("the page does not say that the fence held")
	}
	if again := mustPlay(t, twoLead); again.Digest != held.Digest || len(again.Entries) != len(held.Entries) {
		t.Error("what follows a violation is not the same every time")
	}
}

// A campaign over a store that forgets must see what that leads to, or it sees nothing.
func TestACampaignOverAForgetfulStoreBreaksRulesOutsideOfThePromiseOnly(t *testing.T) {
	r, err := Campaign{Base: Scenario{Nodes: 3, Store: Forgetful}, Seeds: 2000}.Run()
	if err != nil || r.Failed != nil {
		t.Fatal(err, r.Violation)
	}
	t.Logf("%d of %d schedules break a rule, the fence holds in %d of them", r.Beyond, r.Schedules, r.Beyond-r.Unfenced)
	if r.Beyond < 100 || r.Unfenced < 10 || r.Unfenced > r.Beyond/2 {
		t.Errorf("%d of %d schedules break a rule, the fence does not hold in %d", r.Beyond, r.Schedules, r.Unfenced)
	}
	for _, kind := range []StoreKind{Expiring, Register} {
		if r, err := (Campaign{Base: Scenario{Nodes: 3, Store: kind}, Seeds: 500}).Run(); err != nil || r.Beyond > 0 {
			t.Errorf("%v store: %d schedules lie outside of the promise (%v)", kind, r.Beyond, err)
		}
	}
}

// Stale reads break what the register algorithm rests on: they are there to show that.
func TestStaleReadsAreOutsideOfThePromise(t *testing.T) {
	fresh := mustPlay(t, "nodes 2\nttl 15s\nstore register\n")
	stale := mustPlay(t, "nodes 2\nttl 15s\nstore register\nstale at 20s for 50s\n")
	if fresh.Digest == stale.Digest || stale.Violation.Rule != "" && !stale.Violation.Beyond {
		t.Errorf("stale reads change nothing, or break the promise: %s", stale.Violation)
	}
}
