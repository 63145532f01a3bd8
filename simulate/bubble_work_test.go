package simulate

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
)

// endsOf plays a fault of the work at n0, the only node, and returns when its first work was told to stop, and why, and
// when it had returned.
func endsOf(t *testing.T, script string) (told, returned time.Duration, tr *Trace, why error) {
	t.Helper()
	w := bubble(t, Cluster{Nodes: 1}, 1, func(w *World) {
		w.Lead("billing", func(ctx context.Context, _ *actor.Tenure) error {
			<-ctx.Done()
			if told == 0 {
				told, why = w.Now(), context.Cause(ctx)
			}
			return nil
		})
		tell(t, w, script)
	})
	mustPass(t, w)
	for _, e := range w.trace.Entries {
		if e.Kind == WorkEnded && returned == 0 {
			returned = e.At
		}
	}
	return told, returned, w.trace, why
}

func TestWorkIgnoresItsContextForAsLongAsAFaultSays(t *testing.T) {
	told, returned, _, why := endsOf(t, "ignore n0 at 10s for 30s by 2s; resign n0 at 20s")
	if told != 22*time.Second || returned != told {
		t.Errorf("told to stop at %v, returned at %v", told, returned)
	}
	if ended, ok := why.(*actor.Ended); !ok || ended.Reason != fsm.Resigned {
		t.Errorf("the cause is %v", why)
	}
	if told, returned, _, _ = endsOf(t, "ignore n0 at 30s for 10s by 2s; resign n0 at 20s"); told != 20*time.Second {
		t.Errorf("without a fault told to stop at %v, returned at %v", told, returned)
	}
}

func TestWorkReturnsEarlyAndFailsWhenAFaultSaysSo(t *testing.T) {
	told, returned, early, why := endsOf(t, "return-soon n0 at 0s for 5s by 7s")
	if told < 7*time.Second || told > 11*time.Second || returned != told || why != errSoon {
		t.Errorf("told to stop at %v (%v), returned at %v", told, why, returned)
	}
	told, returned, failed, why := endsOf(t, "fails n0 at 0s for 5s by 7s")
	if told < 7*time.Second || told > 11*time.Second || returned != told || why != errFails {
		t.Errorf("told to stop at %v (%v), returned at %v", told, why, returned)
	}
	for _, tr := range []*Trace{early, failed} {
		finished := slices.ContainsFunc(tr.Entries, func(e Entry) bool { return e.Kind == Moved && e.Reason == fsm.Finished })
		if !finished || len(leaders(tr)) < 2 {
			t.Errorf("finished %v, then led again: %v", finished, leaders(tr))
		}
	}
}

// A fault of the work makes the same election as in a schedule, if the work does what it is told at once.
func TestFaultsOfTheWorkMakeTheElectionOfASchedule(t *testing.T) {
	for _, script := range []string{
		"ignore leader at 10s for 30s by 2s; resign leader at 20s",
		"return-soon leader at 10s for 30s by 3s; resign leader at 20s; return-soon n1 at 2s for 60s by 9s",
		"fails n0 at 0s for 60s by 4s; fails n1 at 0s for 60s by 6s; fails n2 at 0s for 60s by 8s",
	} {
		w := bubble(t, Cluster{Nodes: 3}, 5, func(w *World) {
			var tenures [MaxNodes]uint64
			w.Lead("billing", func(ctx context.Context, t *actor.Tenure) error {
				i := t.Lease().Holder.Name[1] - '0'
				tenures[i]++
				<-ctx.Done()
				if _, ended := context.Cause(ctx).(*actor.Ended); ended && w.processOf(t).meddling.ignore.Load() == 0 {
					takes := draw(5, uint64(i), tenures[i], forDrain)
					w.Clock().Sleep(time.Duration(upTo(takes, int64(3*time.Second)*3/4)))
				}
				return nil
			})
			tell(t, w, script)
		})
		mustPass(t, w)
		schedule, err := Play(w.scenario)
		if err != nil {
			t.Fatal(err)
		}
		sameSteps(t, schedule, w.trace)
	}
}

func TestNodesHaveTheLoggerTheHooksAndTheHeartbeatOfTheUser(t *testing.T) {
	var log bytes.Buffer
	var moved, calls, beats int
	w := bubble(t, Cluster{Nodes: 2}, 1, func(w *World) {
		biller(w, w.FencedStore("ledger"))
		w.Configure(func(node int, c *actor.Config, e *actor.Election) {
			if node != 0 {
				return
			}
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Hooks.Moved = func(events.Transition) { moved++ }
			c.Hooks.Called = func(string, fsm.Op, time.Duration, error) { calls++ }
			c.Name, e.Key, e.Paused, e.TTL = "other", "other", true, time.Hour // are the world's
			e.HeartbeatEvery = 10 * time.Second
			e.Heartbeat = func(context.Context, bool) error { beats++; return nil }
		})
		w.At(20*time.Second, Fault{Kind: Crash, Target: 0, For: 30 * time.Second})
	})
	mustPass(t, w)
	if moved == 0 || calls == 0 || beats < 8 || beats > 12 {
		t.Errorf("%d moves, %d calls, %d heartbeats", moved, calls, beats)
	}
	if text := log.String(); !strings.Contains(text, "node=n0 key=billing") || strings.Contains(text, "node=n1") {
		t.Errorf("the log is %s", text)
	}
}
