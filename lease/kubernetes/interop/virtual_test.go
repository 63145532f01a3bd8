package interop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/kubernetes"
	"github.com/go-tenure/tenure/lease/kubernetes/internal/model"
)

// bubble runs f in virtual time, on one processor. On several, the race detector may crash the process: the runtime
// (go1.26.8) lends one context of the detector to every timer of a bubble, while a timer that nobody waited for when it
// was due runs on the goroutine that asks for it later, beside the others. Loops of client-go ask so.
func bubble(t *testing.T, f func(*testing.T)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

// link is the way of one process to the server, with faults drawn from a seed: requests and answers are late, get
// lost, or arrive long after anybody has given them up.
type link struct {
	server  *model.Server
	timeout time.Duration // of the client, as http.Client has it; zero: none, as our Manager bounds its calls by itself

	mu   sync.Mutex
	rng  *rand.Rand
	bad  float64       // how likely a request or an answer does not arrive
	slow time.Duration // how late each may be
	heal chan struct{} // while the link is cut: closed when it is whole again
}

// cut keeps everything from passing until whole is called; what was sent meanwhile arrives then.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heal == nil {
		l.heal = make(chan struct{})
	}
}

func (l *link) whole() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heal != nil {
		close(l.heal)
		l.heal = nil
	}
}

func (l *link) set(bad float64, slow time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad, l.slow = bad, slow
}

// pass lets one message through, or reports that it is lost. It is lost when ctx ends, too.
func (l *link) pass(ctx context.Context) bool {
	l.mu.Lock()
	lost, late, heal := l.rng.Float64() < l.bad, time.Millisecond+time.Duration(l.rng.Int64N(int64(l.slow)+1)), l.heal
	l.mu.Unlock()
	wait := time.NewTimer(late)
	defer wait.Stop()
	if heal != nil {
		select {
		case <-heal:
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-wait.C:
	case <-ctx.Done():
		return false
	}
	return !lost
}

var errBroken = errors.New("connection broken")

// call carries one request to the server and its answer back. It returns no later than ctx ends; the request goes its
// way all the same.
func (l *link) call(ctx context.Context, do func() ([]byte, error)) ([]byte, error) {
	if l.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout)
		defer cancel()
	}
	type answer struct {
		data []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: errBroken}
		if l.pass(context.Background()) {
			data, err := do()
			if l.pass(context.Background()) {
				a = answer{data, err}
			}
		}
		answered <- a
	}()
	select {
	case a := <-answered:
		return a.data, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *link) Get(ctx context.Context, name string) ([]byte, error) {
	return l.call(ctx, func() ([]byte, error) { return l.server.Get(context.Background(), name) })
}

func (l *link) Create(ctx context.Context, name string, data []byte) ([]byte, error) {
	return l.call(ctx, func() ([]byte, error) { return l.server.Create(context.Background(), name, data) })
}

func (l *link) Update(ctx context.Context, name string, data []byte) ([]byte, error) {
	return l.call(ctx, func() ([]byte, error) { return l.server.Update(context.Background(), name, data) })
}

// Watch tells late, and nothing while the link is cut.
func (l *link) Watch(ctx context.Context, name string, event func([]byte)) error {
	return l.server.Watch(ctx, name, func(data []byte) {
		if l.pass(ctx) {
			event(data)
		}
	})
}

// seeds is how many schedules a test plays. A thousand of each were played once.
const seeds uint64 = 8

// fleet is a mixed fleet in virtual time.
type fleet struct {
	timeout, guard time.Duration // of client-go's client, and what ours makes of it
	length         time.Duration
}

// play runs electors of client-go and nodes of Tenure beside each other while links break, and returns who led.
func (f fleet) play(t *testing.T, seed uint64) *stage {
	s := newStage()
	server := &model.Server{}
	rng := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithCancel(t.Context())
	var processes sync.WaitGroup
	var links []*link
	for i := range 6 {
		l := &link{server: server, rng: rand.New(rand.NewPCG(seed, uint64(i)+2))}
		l.set(0, 20*time.Millisecond)
		links = append(links, l)
		if i%2 == 0 {
			l.timeout = f.timeout
			who := fmt.Sprint("client-go ", i)
			processes.Go(func() {
				elect(ctx, bridge{client: l}, usual, false, "k", who, func(ctx context.Context) { s.work(ctx, who, 0) })
			})
		} else {
			who := fmt.Sprint("tenure ", i)
			processes.Go(func() {
				err := stand(ctx, l, usual.lease, f.guard, "k", who,
					func(ctx context.Context, term lease.Term) { s.work(ctx, who, term) })
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	for time.Since(s.started) < f.length {
		time.Sleep(time.Duration(rng.Int64N(int64(12 * time.Second))))
		f.fault(s, rng, links)
	}
	cancel()
	for _, l := range links {
		l.whole()
	}
	processes.Wait()
	time.Sleep(time.Minute) // what is still under way
	return s
}

// fault breaks or mends one link, most often that of a leader.
func (f fleet) fault(s *stage, rng *rand.Rand, links []*link) {
	i := rng.IntN(len(links))
	s.mu.Lock()
	for who := range s.on {
		if rng.IntN(3) > 0 {
			_, _ = fmt.Sscan(who[strings.LastIndexByte(who, ' '):], &i)
		}
	}
	s.mu.Unlock()
	l := links[i]
	switch rng.IntN(5) {
	case 0:
		l.cut()
		s.tell("link %d is cut", i)
	case 1:
		l.set(0.5, 2*time.Second)
		s.tell("link %d is bad", i)
	case 2: // an answer is late by nearly as long as the client waits
		l.set(0, 9*time.Second)
		s.tell("link %d is slow", i)
	default:
		for i, l := range links {
			if rng.IntN(2) == 0 {
				l.whole()
				l.set(0, 20*time.Millisecond)
				s.tell("link %d is good", i)
			}
		}
	}
}

// work is the work of a leader: it stops at once.
func (s *stage) work(ctx context.Context, who string, term lease.Term) {
	if ctx.Err() != nil {
		return
	}
	s.enter(who, term)
	<-ctx.Done()
	s.leave(who)
}

func TestInAMixedFleetNoTwoLeadAtAnyInstant(t *testing.T) {
	for name, f := range map[string]fleet{
		"half the renew deadline": {timeout: usual.renew / 2, guard: kubernetes.DefaultGuard, length: 20 * time.Minute},
		"the renew deadline":      {timeout: usual.renew, guard: kubernetes.DefaultGuard, length: 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			led, theirs := map[bool]int{}, 0
			for seed := range seeds {
				bubble(t, func(t *testing.T) {
					s := f.play(t, seed)
					if len(s.faults) > 0 {
						t.Errorf("seed %d: %s\n%s", seed, strings.Join(s.faults, "\n"), strings.Join(s.story, "\n"))
					}
					theirs += len(s.theirs)
					for who, n := range s.led {
						led[strings.HasPrefix(who, "tenure")] += n
					}
				})
			}
			t.Logf("client-go led %d times, twice at once %d times; Tenure led %d times", led[false], theirs, led[true])
			if led[false] < 50 || led[true] < 50 {
				t.Error("one of them hardly ever led; the test has become too gentle to mean anything")
			}
		})
	}
}

func TestWithoutTheGuardTheMixedFleetWouldHaveTwoLeaders(t *testing.T) {
	f := fleet{timeout: usual.renew, guard: -1, length: 20 * time.Minute}
	for seed := range 20 * seeds {
		found := ""
		bubble(t, func(t *testing.T) {
			if s := f.play(t, seed); len(s.faults) > 0 {
				found = s.faults[0]
			}
		})
		if found != "" {
			t.Logf("seed %d: %s", seed, found)
			return
		}
	}
	t.Error("no schedule shows what the guard is for: the schedules are too gentle")
}
