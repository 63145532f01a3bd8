package actor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/leasetest"
)

// What other libraries ask for, in their words, so that nothing of them has to be imported to fit them.
type (
	gocronElector interface{ IsLeader(context.Context) error }
	sutureService interface {
		Serve(ctx context.Context) error
	}
	controllerRunnable    interface{ Start(context.Context) error }
	controllerLeaderAware interface{ NeedLeaderElection() bool }
	healthzChecker        func(req *http.Request) error
)

var (
	_ gocronElector         = (*Campaign)(nil)
	_ sutureService         = (*Node)(nil)
	_ controllerRunnable    = (*Node)(nil)
	_ controllerLeaderAware = (*Node)(nil)
	_ healthzChecker        = (*Node)(nil).Healthz
)

// runGroupAdd has the shape of oklog/run's Group.Add, errgroupGo that of errgroup's Group.Go.
func runGroupAdd(execute func() error, interrupt func(error)) { _, _ = execute, interrupt }
func errgroupGo(f func() error)                               { _ = f }

func TestANodeFitsOtherLibrariesAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.make("a", nil)
		ctx, cancel := context.WithCancel(w.Context())
		runGroupAdd(func() error { return n.Run(ctx) }, func(error) { cancel() })
		errgroupGo(func() error { return n.Run(ctx) })
		if n.NeedLeaderElection() {
			w.Error("a node that waits until it leads never does")
		}
		cancel()
		for _, run := range []func(context.Context) error{n.Serve, w.make("b", nil).Start} {
			if err := run(ctx); err != nil {
				w.Error(err)
			}
		}
		if err := n.Serve(ctx); !errors.Is(err, ErrRan) {
			w.Errorf("a supervisor that starts it again is told %v", err)
		}
	})
}

func ask(h http.Handler, method string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(method, "/", nil))
	return r
}

func TestReadinessFollowsRunAndNotLeadership(t *testing.T) {
	inWorld(t, func(w *world) {
		w.node("other", nil).campaign(Election{})
		n := w.make("a", nil)
		expect := func(when string, live, ready int) {
			w.Helper()
			if got := []int{ask(n.Livez(), "GET").Code, ask(n.Readyz(), "GET").Code}; got[0] != live || got[1] != ready {
				w.Errorf("%s: live and ready are %v, want %d and %d", when, got, live, ready)
			}
		}
		expect("before Run", 200, 503)
		n.run(w.Context())
		c := n.campaign(Election{})
		expect("following", 200, 200)
		w.pass(time.Minute)
		w.state(c, fsm.Follower)
		expect("following on", 200, 200)
		n.cancel()
		w.pass(0)
		w.pass(time.Minute)
		expect("after Run", 200, 503)
		if body := ask(n.Readyz(), "GET").Body.String(); body != "actor: stopped\n" {
			w.Errorf("it says %q", body)
		}
	})
}

func TestLivenessIsDeniedByANodeThatIsStuck(t *testing.T) {
	inWorld(t, func(w *world) {
		hold, stuck := make(chan struct{}), true
		n := w.node("a", nil, func(c *Config) {
			c.Hooks.Called = func(_ string, op fsm.Op, _ time.Duration, _ error) {
				if stuck && op == fsm.Renew {
					stuck = false
					<-hold
				}
			}
		})
		n.campaign(Election{})
		n.campaign(Election{Key: "x"})
		w.pass(5*time.Second + stall)
		if err := n.Healthz(nil); err != nil {
			w.Error(err)
		}
		w.pass(5 * time.Second)
		if r := ask(n.Livez(), "GET"); r.Code != 503 || !strings.Contains(r.Body.String(), "stuck") {
			w.Errorf("%d %q", r.Code, r.Body)
		}
		w.same("readiness", ask(n.Readyz(), "GET").Code, 503)
		close(hold)
		w.pass(0)
		w.same("liveness afterwards", n.Healthz(nil), nil)
	})
}

func TestLeaderzAnswersWithTheStatus(t *testing.T) {
	inWorld(t, func(w *world) {
		m := w.faulty(fault(leasetest.Renew, 1, leasetest.ErrorBefore))
		a := w.node("a", m, func(c *Config) { c.Meta = `"<tag>"` })
		c, d := a.campaign(Election{}), w.node("b", nil).campaign(Election{})
		w.pass(5 * time.Second)
		r := ask(c.Leaderz(), "GET")
		w.same("code of the leader", r.Code, 200)
		w.same("type", r.Header().Get("Content-Type"), "application/json")
		w.same("caching", r.Header().Get("Cache-Control"), "no-store")
		want := `{"key":"billing","state":"leader","leading":true,"reason":"won","term":1,"leader":"a",` +
			`"meta":"\"\u003ctag\u003e\"","remaining_seconds":6.85,"since":"2026-01-01T00:00:00Z",` +
			`"error":"leasetest: injected fault"}` + "\n"
		w.same("body", r.Body.String(), want)
		r = ask(d.Leaderz(), "GET")
		w.same("code of the follower", r.Code, 503)
		var got map[string]any
		if err := json.Unmarshal(r.Body.Bytes(), &got); err != nil || got["leading"] != false || got["leader"] != "a" {
			w.Errorf("the follower says %v, %v", got, err)
		}
		for _, h := range []http.Handler{c.Leaderz(), d.Leaderz(), a.Livez(), a.Readyz()} {
			if r := ask(h, "HEAD"); r.Body.Len() > 0 {
				w.Errorf("HEAD is answered with %q", r.Body)
			}
		}
		w.same("code of HEAD", ask(d.Leaderz(), "HEAD").Code, 503)
	})
}
