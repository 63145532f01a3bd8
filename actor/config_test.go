package actor

import (
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestAllFaultsOfAConfigAreToldAtOnce(t *testing.T) {
	_, err := New(Config{
		Name: "näme", Meta: strings.Repeat("x", lease.MaxMeta+1), MaxCalls: -1, MaxElections: 1 << 30, Events: 1 << 30,
		JoinLimit: -time.Second,
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"MaxCalls -1 must be 0 to 65536", "MaxElections 1073741824 must be 0 to 16777216",
		"Events 1073741824 must be 0 to 1048576", "JoinLimit -1s must not be negative", `name "näme"`,
		"metadata has 1025 bytes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestTheZeroConfigIsANodeWithANameOfItsOwn(t *testing.T) {
	m := &memory.Manager{Quiet: true}
	a, err := New(Config{Manager: m})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{Manager: m})
	if err != nil {
		t.Fatal(err)
	}
	if a.Holder().Name == b.Holder().Name || a.Holder().Check() != nil {
		t.Errorf("the names are %q and %q", a.Holder().Name, b.Holder().Name)
	}
	if a.config.MaxCalls != 256 || a.config.MaxElections != 1<<20 || a.config.JoinLimit != 5*time.Second {
		t.Errorf("the defaults are %+v", a.config)
	}
	if c, err := a.Campaign(Election{Key: "billing"}); err != nil || c.machine.Timing().TTL != 15*time.Second {
		t.Errorf("an election of which only the key is given: %v", err)
	}
}

// narrow is a store with limits.
type narrow struct{ lease.Manager }

func (narrow) Limits() lease.Limits {
	return lease.Limits{MinTTL: 15 * time.Second, MaxTTL: time.Minute, Step: time.Second, MaxKey: 8}
}

func TestFaultsOfAnElectionAreFoundWhenItIsAdded(t *testing.T) {
	n, err := New(Config{Name: "a", Manager: narrow{&memory.Manager{Quiet: true}}, MaxElections: 2})
	if err != nil {
		t.Fatal(err)
	}
	beat := func(ctx, bool) error { return nil }
	for _, test := range []struct {
		election Election
		want     []string
	}{
		{Election{}, []string{"key has 0 bytes; 1 to 253 are allowed"}},
		{Election{Key: "a\nb"}, []string{`byte 0x0a at position 1`}},
		{Election{Key: "123456789"}, []string{"key has 9 bytes; this store holds at most 8"}},
		{Election{Key: "x", TTL: 10 * time.Second}, []string{"TTL 10s is less than 15s"}},
		{Election{Key: "x", TTL: time.Hour}, []string{"TTL 1h0m0s is more than 1m0s"}},
		{Election{Key: "x", TTL: 15500 * time.Millisecond}, []string{"TTL 15.5s is not a multiple of 1s"}},
		{Election{Key: "x", TTL: -1}, []string{"TTL -1ns"}},
		{Election{Key: "x", TTL: 20 * time.Second, Timing: fsm.Timing{TTL: 30 * time.Second}}, []string{"differ; give one"}},
		{Election{Key: "x", Timing: fsm.Timing{Grace: time.Minute, Jitter: 99}}, []string{"Grace 1m0s", "Jitter 99%"}},
		{Election{Key: "x", HeartbeatEvery: time.Second}, []string{"HeartbeatEvery without Heartbeat"}},
		{Election{Key: "x", HeartbeatEvery: -1, Heartbeat: beat}, []string{"HeartbeatEvery -1ns must be at least 1ms"}},
		{Election{TTL: 1, HeartbeatEvery: 1, Heartbeat: beat}, []string{"key has 0 bytes", "TTL 1ns", "HeartbeatEvery 1ns"}},
	} {
		c, err := n.Campaign(test.election)
		if err == nil || c != nil {
			t.Errorf("%+v was accepted", test.election)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	}
	for _, key := range []string{"x", "y"} {
		if _, err := n.Campaign(Election{Key: key}); err != nil {
			t.Error(err)
		}
	}
	if _, err := n.Campaign(Election{Key: "x"}); err == nil || !strings.Contains(err.Error(), "already stands in it") {
		t.Errorf("a key twice: %v", err)
	}
	if _, err := n.Campaign(Election{Key: "z"}); err == nil || !strings.Contains(err.Error(), "MaxElections") {
		t.Errorf("one election too many: %v", err)
	}
}

func TestElectionsOfOneTimingShareIt(t *testing.T) {
	n, err := New(Config{Name: "a", Manager: &memory.Manager{Quiet: true}})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := n.Campaign(Election{Key: "x"})
	y, _ := n.Campaign(Election{Key: "y", TTL: 15 * time.Second})
	z, _ := n.Campaign(Election{Key: "z", TTL: 16 * time.Second})
	if x.machine.Timing() != y.machine.Timing() || x.machine.Timing() == z.machine.Timing() {
		t.Error("equal ones are two, or different ones are one")
	}
}
