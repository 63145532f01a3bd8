package actor

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// pulse is an Election.Heartbeat that records itself.
type pulse struct {
	w      *world
	beats  []string
	length time.Duration // of one
	err    error         // to return
	runs   int
	most   int
}

func (p *pulse) beat(ctx ctx, leading bool) error {
	role := "follows"
	if leading {
		role = "leads"
	}
	p.beats = append(p.beats, p.w.now().String()+" "+role)
	p.runs++
	p.most = max(p.most, p.runs)
	defer func() { p.runs-- }()
	if p.length > 0 {
		over := make(chan struct{})
		defer p.w.clock.AfterFunc(p.length, func() { close(over) }).Stop()
		select {
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.err
}

func TestTheHeartbeatBeatsOnLeaderAndFollowerAlike(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := &pulse{w: w}, &pulse{w: w}
		c := w.node("a", nil).campaign(Election{Heartbeat: a.beat, HeartbeatEvery: 10 * time.Second})
		w.node("b", nil).campaign(Election{Heartbeat: b.beat, HeartbeatEvery: 10 * time.Second})
		w.pass(20 * time.Second)
		_ = c.HandOver()
		w.pass(20 * time.Second)
		w.same("of a", a.beats, []string{"10s leads", "20s leads", "30s follows", "40s follows"})
		w.same("of b", b.beats, []string{"10s follows", "20s follows", "30s leads", "40s leads"})
	})
}

func TestOneHeartbeatLivesThroughManyTerms(t *testing.T) {
	inWorld(t, func(w *world) {
		p := &pulse{w: w}
		c := w.node("a", nil).campaign(Election{Heartbeat: p.beat, HeartbeatEvery: 7 * time.Second})
		for range 30 {
			_ = c.Resign()
			w.pass(7 * time.Second)
		}
		if c.Status().Term < 20 || len(p.beats) != 30 || p.most != 1 {
			w.Errorf("%d terms, %d beats, %d at once", c.Status().Term, len(p.beats), p.most)
		}
	})
}

func TestHeartbeatsOfOneElectionNeverOverlap(t *testing.T) {
	inWorld(t, func(w *world) {
		p := &pulse{w: w, length: 25 * time.Second}
		w.node("a", nil).campaign(Election{Heartbeat: p.beat, HeartbeatEvery: 10 * time.Second})
		w.pass(2 * time.Minute)
		w.same("beats", p.beats, []string{"10s leads", "35s leads", "1m0s leads", "1m25s leads", "1m50s leads"})
		w.same("at once", p.most, 1)
	})
}

func TestTheErrorOfAHeartbeatEndsTheElectionAndSurfaces(t *testing.T) {
	inWorld(t, func(w *world) {
		sick := errors.New("disk is full")
		p := &pulse{w: w, err: sick}
		k := &work{w: w}
		n := w.node("a", nil)
		other := n.campaign(Election{Key: "other"})
		c := n.campaign(Election{Lead: k.lead, Heartbeat: p.beat, HeartbeatEvery: time.Second})
		w.pass(999 * time.Millisecond)
		if err := c.Err(); err != nil {
			w.Errorf("an error before its time: %v", err)
		}
		w.pass(time.Millisecond)
		<-c.Done()
		if !errors.Is(c.Err(), sick) {
			w.Errorf("the election ended with %v", c.Err())
		}
		w.same("story", n.story("billing"), []string{"due", "won", "stopped", "released"})
		w.pass(time.Minute)
		w.same("beats", len(p.beats), 1)
		w.state(other, fsm.Leader)
	})
}

func TestAHeartbeatThatFailsWhileTheWorkWindsDownSurfacesAsWell(t *testing.T) {
	inWorld(t, func(w *world) {
		sick := errors.New("disk is full")
		p := &pulse{w: w, err: sick}
		k := &work{w: w, linger: 5 * time.Second}
		c := w.node("a", nil).campaign(Election{Lead: k.lead, Heartbeat: p.beat, HeartbeatEvery: time.Second})
		_ = c.Withdraw()
		w.pass(5 * time.Second)
		<-c.Done()
		w.same("error", c.Err(), sick)
		w.same("beats", p.beats, []string{"1s follows"})
	})
}

func TestTheHeartbeatStopsWithItsElection(t *testing.T) {
	inWorld(t, func(w *world) {
		p := &pulse{w: w, length: time.Hour}
		c := w.node("a", nil).campaign(Election{Heartbeat: p.beat, HeartbeatEvery: time.Second})
		w.pass(2 * time.Second)
		w.same("running", p.runs, 1)
		_ = c.Withdraw()
		w.pass(0)
		<-c.Done()
		w.same("running after the end", p.runs, 0)
		if err := c.Err(); err != nil {
			w.Errorf("that it was told to stop is taken for an error: %v", err)
		}
	})
}

func TestAnElectionIsNotOverBeforeItsHeartbeatHasReturned(t *testing.T) {
	inWorld(t, func(w *world) {
		free := make(chan struct{})
		n := w.node("a", nil)
		c := n.campaign(Election{Heartbeat: func(ctx, bool) error { <-free; return nil }, HeartbeatEvery: time.Second})
		w.pass(time.Second)
		n.cancel()
		w.pass(time.Minute)
		select {
		case <-c.Done():
			w.Error("Done while the heartbeat runs")
		default:
		}
		if n.hasEnded() {
			w.Error("Run has returned while the heartbeat runs")
		}
		close(free)
		w.pass(0)
		<-c.Done()
	})
}

func TestAHeartbeatThatEndsItsGoroutineIsTakenForAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.node("a", nil).campaign(Election{
			Heartbeat:      func(ctx, bool) error { runtime.Goexit(); return nil },
			HeartbeatEvery: time.Second,
		})
		w.pass(time.Second)
		<-c.Done()
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "ended its goroutine") {
			w.Errorf("the election ended with %v", err)
		}
	})
}

func TestTheHeartbeatIsThirtySecondsByDefaultAndBeatsThoughTheStoreIsDown(t *testing.T) {
	inWorld(t, func(w *world) {
		p := &pulse{w: w}
		m := w.faulty(fault(0, 0, leasetest.LostRequest))
		w.node("a", m).campaign(Election{Heartbeat: p.beat})
		w.pass(time.Minute)
		w.same("beats", p.beats, []string{"30s follows", "1m0s follows"})
	})
}
