package memory

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func TestTheZeroManagerIsReady(t *testing.T) {
	m := &Manager{Quiet: true}
	if r, err := m.Read(bg, "k"); err != nil || r != (lease.Record{Lease: lease.Lease{Key: "k"}}) {
		t.Fatalf("Read of a key never held = %+v, %v; want nobody, term 0", r, err)
	}
	lost(t, m.Renew(bg, lease.Lease{Key: "k", Holder: alice, Term: 1}, ttl), lease.Holder{}, 0)
	l := acquire(t, m, "k", alice)
	if err := errors.Join(m.Renew(bg, l, ttl), m.Release(bg, l)); err != nil {
		t.Fatal(err)
	}
}

func TestTermsRiseOnEveryPath(t *testing.T) {
	m, clk := virtual()
	var last lease.Term
	take := func(path string, h lease.Holder) lease.Lease {
		t.Helper()
		l := acquire(t, m, "k", h)
		if l.Term <= last {
			t.Fatalf("%s: term %d after %d", path, l.Term, last)
		}
		last = l.Term
		return l
	}
	take("first", alice)
	l := take("again while holding", alice)
	if err := m.Release(bg, l); err != nil {
		t.Fatal(err)
	}
	take("after release, another", bob)
	clk.Add(ttl)
	take("after expiry, the same", bob)
	clk.Add(ttl)
	take("after expiry, another", alice)
	m.Assign("k", "bob")
	take("after Assign", bob)
	m.Assign("k", "bob")
	l = take("after Assign to whoever holds it", bob)
	m.Assign("k", "")
	take("after Assign to nobody", alice)
	lost(t, m.Renew(bg, l, ttl), alice, last)
}

func TestALeaseThatRanOutIsOver(t *testing.T) {
	m, clk := virtual()
	l := acquire(t, m, "k", alice)
	clk.Add(ttl - 1)
	if r := held(t, m, "k", bob); r.Remaining != 1 || r.Holder != alice || r.Term != l.Term {
		t.Fatalf("a nanosecond before its end: refused with %+v", r)
	}
	if err := m.Renew(bg, l, ttl); err != nil {
		t.Fatalf("a nanosecond before its end: Renew = %v", err)
	}
	clk.Add(ttl)
	lost(t, m.Renew(bg, l, ttl), alice, l.Term)
	lost(t, m.Release(bg, l), alice, l.Term)
	if r, _ := m.Read(bg, "k"); !r.Vacant() || r.Holder != alice || r.Term != l.Term {
		t.Fatalf("Read after its end = %+v; want alice with nothing remaining", r)
	}
}

func TestRenewAndReleaseWantHolderIncarnationAndTerm(t *testing.T) {
	m, _ := virtual()
	l := acquire(t, m, "k", alice)
	for name, wrong := range map[string]lease.Lease{
		"name":         {Key: "k", Holder: lease.Holder{Name: "eve", Incarnation: "a1"}, Term: l.Term},
		"incarnation":  {Key: "k", Holder: lease.Holder{Name: "alice", Incarnation: "a2"}, Term: l.Term},
		"older term":   {Key: "k", Holder: alice, Term: l.Term - 1},
		"greater term": {Key: "k", Holder: alice, Term: l.Term + 1},
		"nobody":       {Key: "k", Term: l.Term},
	} {
		t.Run(name, func(t *testing.T) {
			lost(t, m.Renew(bg, wrong, ttl), alice, l.Term)
			lost(t, m.Release(bg, wrong), alice, l.Term)
		})
	}
	l.Holder.Meta = "moved"
	if err := m.Renew(bg, l, ttl); err != nil {
		t.Errorf("Renew with other metadata = %v; metadata takes no part", err)
	}
	if err := m.Release(bg, l); err != nil {
		t.Fatal(err)
	}
	lost(t, m.Release(bg, l), lease.Holder{}, l.Term)
}

func TestAnEndedContextIsRefusedWithoutEffect(t *testing.T) {
	m, _ := virtual()
	l := acquire(t, m, "k", alice)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, free := m.Acquire(ctx, "free", bob, ttl)
	_, read := m.Read(ctx, "k")
	for call, err := range map[string]error{
		"Acquire": free, "Read": read, "Renew": m.Renew(ctx, l, time.Hour), "Release": m.Release(ctx, l),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v; want an error that is context.Canceled", call, err)
		}
	}
	if r, _ := m.Read(bg, "free"); r.Term != 0 {
		t.Errorf("after Acquire with an ended context: %+v", r)
	}
	if r, _ := m.Read(bg, "k"); r.Lease != l || r.Remaining != ttl {
		t.Errorf("after Renew and Release with an ended context: %+v", r)
	}
}

func TestArgumentsThatCannotMakeALeaseAreRefusedWithoutEffect(t *testing.T) {
	m, _ := virtual()
	l := acquire(t, m, "held", alice)
	_, badKey := m.Acquire(bg, "", alice, ttl)
	_, badHolder := m.Acquire(bg, "k", lease.Holder{Name: "alice"}, ttl)
	_, badTTL := m.Acquire(bg, "k", alice, 0)
	_, watchKey := m.Watch("new\nline", func(lease.Record) {})
	_, watchNil := m.Watch("k", nil)
	for what, err := range map[string]error{
		"an empty key": badKey, "no incarnation": badHolder, "no TTL": badTTL, "renew for no TTL": m.Renew(bg, l, -1),
		"watch a bad key": watchKey, "watch with nil": watchNil,
	} {
		if !errors.Is(err, lease.ErrPermanent) {
			t.Errorf("%s: %v; want an error that is ErrPermanent", what, err)
		}
	}
	if r, _ := m.Read(bg, "k"); r.Term != 0 {
		t.Errorf("a refused Acquire left %+v", r)
	}
}

func TestTheLongestTTLDoesNotOverflow(t *testing.T) {
	m, clk := virtual()
	acquire(t, m, "other", bob)
	clk.Add(time.Hour)
	l, err := m.Acquire(bg, "k", alice, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	held(t, m, "k", bob)
	if err := m.Renew(bg, l, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	held(t, m, "k", bob)
}

func TestAssignMovesTheLease(t *testing.T) {
	m, clk := virtual()
	l := acquire(t, m, "k", alice)
	m.Assign("k", "bob")
	lost(t, m.Renew(bg, l, ttl), lease.Holder{Name: "bob"}, l.Term+1)
	lost(t, m.Release(bg, l), lease.Holder{Name: "bob"}, l.Term+1)
	clk.Add(1000 * ttl)
	if r := held(t, m, "k", alice); r.Holder.Name != "bob" || r.Remaining >= 0 {
		t.Errorf("kept from alice with %+v; want bob, for no known time", r)
	}
	if r, _ := m.Read(bg, "k"); !r.Vacant() || r.Holder.Name != "bob" {
		t.Errorf("Read = %+v; want it set aside for bob and free to be taken", r)
	}
	b := acquire(t, m, "k", lease.Holder{Name: "bob", Incarnation: "any"})
	if b.Term != l.Term+2 {
		t.Errorf("bob's term is %d; want %d, above the one Assign used", b.Term, l.Term+2)
	}
	if r := held(t, m, "k", bob); r.Holder.Incarnation != "any" {
		t.Errorf("another incarnation of bob was refused with %+v", r)
	}
	clk.Add(ttl)
	acquire(t, m, "k", alice)
}

func TestAssignDecidesWhoLeadsFirst(t *testing.T) {
	m, _ := virtual()
	m.Assign("k", "bob")
	held(t, m, "k", alice)
	m.Assign("k", "alice")
	held(t, m, "k", bob)
	acquire(t, m, "k", alice)
	m.Assign("k", "")
	acquire(t, m, "k", bob)
}

func TestOneOfManyWins(t *testing.T) {
	m, _ := virtual()
	for round := range 50 {
		var won sync.Map
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				h := lease.Holder{Name: "n", Incarnation: string(rune('a' + i))}
				if l, err := m.Acquire(bg, "k", h, ttl); err == nil {
					won.Store(h, l)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, l := range won.Range {
			n++
			if err := m.Release(bg, l.(lease.Lease)); err != nil {
				t.Error(err)
			}
		}
		if n != 1 {
			t.Fatalf("round %d: %d of 8 were granted the lease at once", round, n)
		}
	}
}

func TestTheWarningAppearsOncePerProcess(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	defer warned.Store(warned.Load())
	warned.Store(false)

	(&Manager{Quiet: true}).Assign("k", "alice")
	if log.Len() > 0 {
		t.Fatalf("a quiet Manager logged %s", &log)
	}
	for range 2 {
		m := new(Manager)
		m.Assign("k", "alice")
		m.Assign("k", "bob")
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "other processes") {
		t.Errorf("two Managers logged %d warnings; want one that speaks of other processes: %s", got, &log)
	}
}
