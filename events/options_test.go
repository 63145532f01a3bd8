package events_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-tenure/tenure/events"
	"github.com/go-tenure/tenure/fsm"
)

func TestBadOptionsAreRefusedAllAtOnce(t *testing.T) {
	n := newNode(t, 0)
	cases := []struct {
		o     events.Options
		fault string
	}{
		{events.Options{Key: "a\n"},
			"events: Key: lease: key \"a\\n\" has the byte 0x0a at position 1; printable ASCII only"},
		{events.Options{Buffer: 7}, "events: Buffer is 7, but Latest keeps one event for each key; leave it 0"},
		{events.Options{Policy: events.DropOldest, Buffer: -1},
			"events: Buffer -1 is not within 0..65536; 0 means 64"},
		{events.Options{Policy: events.Disconnect, Buffer: 1 << 17},
			"events: Buffer 131072 is not within 0..65536; 0 means 64"},
		{events.Options{Policy: 3, Buffer: -2}, "events: Policy 3 is not one of Latest, DropOldest, Disconnect\n" +
			"events: Buffer -2 is not within 0..65536; 0 means 64"},
	}
	for _, c := range cases {
		if _, err := n.hub.Subscribe(t.Context(), c.o); err == nil || err.Error() != c.fault {
			t.Errorf("%+v: got %v, want %s", c.o, err, c.fault)
		}
		func() {
			defer func() {
				if err, _ := recover().(error); err == nil || err.Error() != c.fault {
					t.Errorf("Events(%+v) panicked with %v, want %s", c.o, err, c.fault)
				}
			}()
			n.hub.Events(t.Context(), c.o)
		}()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := n.hub.Subscribe(ctx, events.Options{}); !errors.Is(err, why) {
		t.Errorf("with an ended context: %v, want its cause", err)
	}
}

func TestBadConfigurationIsRefusedAllAtOnce(t *testing.T) {
	_, err := events.New(events.Config{Ring: -1})
	want := "events: Ring -1 is not within 0..1048576; 0 means 1024\n" +
		"events: Snapshot is nil; subscriptions begin with the present state, say where it is"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := events.New(events.Config{Ring: events.MaxRing + 1, Snapshot: (&node{}).snapshot}); err == nil {
		t.Error("a ring beyond MaxRing was accepted")
	}
}

func TestAnEventOutOfOrderIsAFaultOfThePublisher(t *testing.T) {
	n := newNode(t, 0)
	n.move("a")
	for _, seq := range []uint64{0, 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("event %d after event 1 was accepted", seq)
				}
			}()
			n.hub.Publish(events.Transition{Seq: seq, Key: "a", To: fsm.Leader})
		}()
	}
}

func TestPoliciesHaveNames(t *testing.T) {
	for p, want := range map[events.Policy]string{
		events.Latest: "latest", events.DropOldest: "drop_oldest", events.Disconnect: "disconnect", 9: "unknown policy",
	} {
		if p.String() != want {
			t.Errorf("policy %d is %q, want %q", p, p, want)
		}
	}
}
