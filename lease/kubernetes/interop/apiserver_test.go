//go:build linux && apiserver

package interop_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
)

func apiServer(t *testing.T) *servers.Server {
	t.Helper()
	etcd := servers.Test(t, servers.Etcd())
	return servers.Test(t, servers.KubeAPIServer("http://"+etcd.Addr()))
}

// leader waits until one of them has begun to lead after since, and returns it.
func leader(t *testing.T, what string, since time.Duration, all ...*process) *process {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, p := range all {
			if p.leads(since) {
				return p
			}
		}
	}
	t.Errorf("nobody leads within two minutes: %s", what)
	return nil
}

// judge fails if two of them led at one instant, or if terms did not rise.
func judge(t *testing.T, what string, all ...*process) (led map[string]int) {
	var tenures []tenure
	led = map[string]int{}
	for _, p := range all {
		for _, one := range p.tenures() {
			tenures = append(tenures, one)
			led[p.kind]++
		}
	}
	for i, a := range tenures {
		for _, b := range tenures[:i] {
			if a.who != b.who && a.from < b.to && b.from < a.to {
				t.Errorf("%s: %s led from %v to %v and %s from %v to %v", what, a.who, a.from, a.to, b.who, b.from, b.to)
			}
			if a.term > 0 && b.term > 0 && (a.from < b.from) != (a.term < b.term) {
				t.Errorf("%s: terms do not rise: %+v and %+v", what, a, b)
			}
		}
	}
	return led
}

// troubles is what happens to a leader, and how it ends.
var troubles = map[string]struct{ begin, end func(p *process) }{
	"it is killed":          {func(p *process) { p.end(syscall.SIGKILL) }, func(*process) {}},
	"it is told to stop":    {func(p *process) { p.end(syscall.SIGTERM) }, func(*process) {}},
	"it is frozen":          {(*process).pause, (*process).resume},
	"it is cut off":         {links(servers.Blackhole), links(servers.Pass)},
	"it hears no answers":   {links(servers.DropAnswers), links(servers.Pass)},
	"its links are half":    {links(servers.HalfOpen), links(servers.Pass)},
	"its links are refused": {links(servers.Reset), links(servers.Pass)},
}

func links(f servers.Fault) func(*process) { return func(p *process) { p.proxy.Set(f) } }

// Each trouble in both directions: an elector of client-go leads and nodes of Tenure follow, and the other way round.
// One process has the typed client of client-go, the other the standard library's.
func TestWhateverHappensToALeaderTheOtherKindTakesOverAfterItHasStopped(t *testing.T) {
	api := apiServer(t)
	var duels sync.WaitGroup
	for name, trouble := range troubles {
		for _, kinds := range [][3]string{{"client-go", "typed", "http"}, {"http", "client-go", "client-go"}} {
			duels.Go(func() {
				what := kinds[0] + ": " + name
				key := dns(what)
				x := launch(t, api, kinds[0], "x", key)
				if x == nil || leader(t, what+", at first", 0, x) == nil {
					return
				}
				y, z := launch(t, api, kinds[1], "y", key), launch(t, api, kinds[2], "z", key)
				time.Sleep(2 * time.Second) // both have seen who leads
				begun := hostTime()
				trouble.begin(x)
				if next := leader(t, what, begun, y, z); next != nil {
					t.Logf("%s: %v until %s led", what, (hostTime() - begun).Round(10*time.Millisecond), next.name)
				}
				time.Sleep(time.Second)
				trouble.end(x)
				time.Sleep(2 * time.Second)
				judge(t, what, x, y, z)
			})
		}
	}
	duels.Wait()
}

// dns makes the name of a Lease of a text.
func dns(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < 'a' || c > 'z' {
			b[i] = '-'
		}
	}
	return string(b)
}

func TestWhateverHappensToTheServerAMixedFleetHasAtMostOneLeader(t *testing.T) {
	api := apiServer(t)
	var all []*process
	for i, kind := range []string{"client-go", "typed", "client-go", "http"} {
		all = append(all, launch(t, api, kind, fmt.Sprint("node-", i), "fleet"))
	}
	restart := func() {
		if err := api.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	pause := func(d time.Duration) func() {
		return func() {
			if err := api.Pause(); err != nil {
				t.Error(err)
			}
			time.Sleep(d)
			if err := api.Resume(); err != nil {
				t.Error(err)
			}
		}
	}
	leader(t, "at first", 0, all...)
	for name, trouble := range map[string]func(){
		"killed": restart, "killed again": restart, "paused": pause(time.Second), "paused for long": pause(8 * time.Second),
	} {
		trouble()
		healed := hostTime()
		leads := func() bool {
			for _, p := range all {
				if p.leads(0) {
					return true
				}
			}
			return false
		}
		for end := time.Now().Add(2 * time.Minute); !leads() && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
		if !leads() {
			t.Errorf("%s: nobody leads two minutes after", name)
		}
		t.Logf("%s: somebody leads %v after", name, (hostTime() - healed).Round(10*time.Millisecond))
		time.Sleep(2 * time.Second)
	}
	t.Logf("led: %v", judge(t, "the fleet", all...))
}
