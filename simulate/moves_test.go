package simulate

import (
	"strings"
	"testing"

	"github.com/go-tenure/tenure/fsm"
)

// Schedules and small worlds are compared with the table where they are played (campaign_test.go, explore_test.go);
// these are the moves of real nodes in bubbles.
func TestRealNodesMakeTheMovesOfTheTableAndNoOthers(t *testing.T) {
	made := map[fsm.Move]bool{}
	look := func(w *World) {
		for _, err := range w.failures {
			t.Fatal(err)
		}
		for _, e := range w.trace.Entries {
			if e.Kind == Moved {
				made[fsm.Move{From: e.From, Reason: e.Reason, To: e.To}] = true
			}
		}
	}
	for seed := range uint64(150) {
		look(planned(t, 1+int(seed%5), seed))
	}
	// A grant that is found when the node goes on, long after the lease has run out.
	look(bubble(t, Cluster{Nodes: 1}, 3, func(w *World) {
		idle(w)
		tell(t, w, "pause n0 at 2.044s for 20s")
	}))
	for _, m := range fsm.Moves() {
		if !made[m] {
			t.Errorf("no real node moved from %v to %v for %v", m.From, m.To, m.Reason)
		}
		delete(made, m)
	}
	for m := range made {
		t.Errorf("a real node moved from %v to %v for %v, which is not in the table", m.From, m.To, m.Reason)
	}
}

// A world that does not play the same twice would make every token and every digest worthless: it ends a campaign.
func TestACampaignNoticesASeedThatDoesNotPlayTheSameTwice(t *testing.T) {
	s := Plan(Scenario{Nodes: 3}, 7)
	w := &world{}
	w.start(s)
	w.run()
	once := w.digest
	if err := w.again(s, once); err != nil {
		t.Error(err)
	}
	err := w.again(s, once+1)
	if err == nil || !strings.Contains(err.Error(), "seed 7 played with digest ") ||
		!strings.Contains(err.Error(), "is not deterministic") {
		t.Errorf("of another digest it says %v", err)
	}
}
