package file

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// await fails unless ok becomes true within some seconds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("never came: " + what)
		}
	}
}

func watchKey(t *testing.T, m *Manager, key string) (last *atomic.Pointer[lease.Record], stop func()) {
	t.Helper()
	last = &atomic.Pointer[lease.Record]{}
	stop, err := m.Watch(key, func(r lease.Record) { last.Store(&r) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return last, stop
}

func holds(last *atomic.Pointer[lease.Record], h lease.Holder) func() bool {
	return func() bool { r := last.Load(); return r != nil && r.Holder == h }
}

func TestAReleaseIsToldPromptlyOrAtTheNextPoll(t *testing.T) {
	for name, poll := range map[string]time.Duration{"told": time.Hour, "polled": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			a := open(t, path)
			b, err := New(Config{Dir: path, Poll: poll})
			if err != nil {
				t.Fatal(err)
			}
			if name == "polled" || runtime.GOOS != "linux" {
				b.dir.watch.source = func(string) source { return newTimed() }
				b.dir.watch.poll = 5 * time.Millisecond
			}
			l := acquire(t, a, alice)
			one, stop := watchKey(t, b, key)
			two, _ := watchKey(t, b, key)
			await(t, "the present holder", holds(one, alice))
			await(t, "the present holder", holds(two, alice))
			if err := a.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			await(t, "the release", holds(one, lease.Holder{}))
			await(t, "the release", holds(two, lease.Holder{}))
			stop()
			acquire(t, a, bob)
			await(t, "the takeover", holds(two, bob))
			if !holds(one, lease.Holder{})() {
				t.Error("a stopped watch went on")
			}
		})
	}
}

func TestOneGoroutineAndOneDescriptorServeAllWatchesAndEndWithTheLast(t *testing.T) {
	m := open(t, t.TempDir())
	before := runtime.NumGoroutine()
	for round := range 3 {
		var stops []func()
		var told atomic.Int32
		for i := range 500 {
			key := fmt.Sprint("key", i)
			if round == 0 {
				if _, err := m.Acquire(t.Context(), key, alice, ttl); err != nil {
					t.Fatal(err)
				}
			}
			stop, err := m.Watch(key, func(lease.Record) { told.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			stops = append(stops, stop)
		}
		if n := runtime.NumGoroutine(); n > before+1 {
			t.Fatalf("%d goroutines instead of %d", n, before+1)
		}
		await(t, "the first call for each", func() bool { return told.Load() >= 500 })
		for _, stop := range stops {
			stop()
			stop()
		}
		await(t, "the end of the goroutine", func() bool { return runtime.NumGoroutine() <= before })
		if m.dir.watch.loop != nil || len(m.dir.watch.keys) != 0 {
			t.Fatal("something is left of the watches")
		}
	}
}

func TestStopWaitsForACallThatIsRunning(t *testing.T) {
	m := open(t, t.TempDir())
	acquire(t, m, alice)
	entered, leave := make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	stop, err := m.Watch(key, func(lease.Record) {
		close(entered)
		<-leave
		left.Store(true)
	})
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	time.AfterFunc(20*time.Millisecond, func() { close(leave) })
	stop()
	if !left.Load() {
		t.Error("stop returned before changed did")
	}
}

func TestAWatchGoesOnInADirectoryThatWasReplaced(t *testing.T) {
	path := t.TempDir() + "/leases"
	m, err := New(Config{Dir: path, Create: true, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, m, alice)
	last, _ := watchKey(t, m, key)
	await(t, "the present holder", holds(last, alice))
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	other, err := New(Config{Dir: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, other, bob)
	await(t, "the holder in the new directory", holds(last, bob))
}
