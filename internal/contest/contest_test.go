package contest

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestALedgerNoticesWorkThatOverlapsAndTermsThatDoNotRise(t *testing.T) {
	for want, story := range map[string]func(*Ledger){
		"":                            func(l *Ledger) { l.enter(1); l.leave(); l.enter(3); l.leave() },
		"term 2 works while term 1 d": func(l *Ledger) { l.enter(1); l.enter(2); l.leave(); l.leave() },
		"R4: term 2 works after term": func(l *Ledger) { l.enter(2); l.leave(); l.enter(2); l.leave() },
	} {
		l := &Ledger{}
		story(l)
		if err := l.Err(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
		if _, works := l.Now(); works {
			t.Error("work goes on that has ended")
		}
	}
}

func TestAnotherWorksAfterAResignation(t *testing.T) {
	m := &memory.Manager{}
	l, all := Start(t, "key", time.Minute, m, m)
	first, works := l.Now()
	if !works || all[0].Status().State != fsm.Leader {
		t.Fatalf("term %d, %v", first, works)
	}
	if err := all[0].Resign(); err != nil {
		t.Fatal(err)
	}
	Wait(t, all[1], fsm.Leader)
	var last lease.Term
	Eventually(t, "a later term works", func() bool { last, works = l.Now(); return works && last > first })
	if idle := l.Idle(); idle <= 0 {
		t.Errorf("between two terms nobody worked for %v", idle)
	}
}
