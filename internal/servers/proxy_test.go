//go:build linux

package servers

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestAProxyPassesOnAndBreaksConnections(t *testing.T) {
	s := Test(t, echoSpec())
	p := TestProxy(t, s.Addr())
	c := dial(t, p.Addr())
	answers(t, c, "a")
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	p.Set(Reset)
	if _, err := hear(c, time.Minute); err == nil {
		t.Error("a reset connection lives on")
	}
	refused(t, p.Addr(), "a new connection is served while connections are reset")
	p.Set(Pass)
	answers(t, dial(t, p.Addr()), "c")
	p.Close()
	p.Close()
}

// refused fails if a new connection is served: it may be refused, reset while it is made, or reset afterwards.
func refused(t *testing.T, addr, otherwise string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = say(c, "b", time.Minute)
		_ = c.Close()
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %v", otherwise, err)
	}
}

func TestABlackholeHoldsEverythingBackAndDeliversItLate(t *testing.T) {
	s := Test(t, echoSpec())
	p := TestProxy(t, s.Addr())
	old := dial(t, p.Addr())
	answers(t, old, "a")
	p.Set(Blackhole)
	silent(t, old, "b")
	fresh := dial(t, p.Addr())
	silent(t, fresh, "c")
	p.Set(Pass)
	for c, want := range map[net.Conn]string{old: "echo b", fresh: "echo c"} {
		if got, err := hear(c, time.Minute); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestARequestWhoseAnswerIsDroppedIsCarriedOut(t *testing.T) {
	s := Test(t, Spec{Name: "writer", Command: func(i Instance) ([]string, error) {
		return []string{"/usr/bin/env", "SERVERS_TEST_ROLE=echo", "SERVERS_TEST_ADDR=" + i.Addr(), os.Args[0]}, nil
	}})
	p := TestProxy(t, s.Addr())
	c := dial(t, p.Addr())
	answers(t, c, "a")
	p.Set(DropAnswers)
	silent(t, c, "b")
	p.Set(Pass)
	if _, err := hear(c, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v; a connection that lost an answer is reset", err)
	}
	answers(t, dial(t, p.Addr()), "c")
}

func TestAHalfOpenConnectionIsGoneOnOneSide(t *testing.T) {
	s := Test(t, echoSpec())
	p := TestProxy(t, s.Addr())
	c := dial(t, p.Addr())
	answers(t, c, "a")
	p.Set(HalfOpen)
	silent(t, c, "b")
	fresh := dial(t, p.Addr())
	silent(t, fresh, "c")
	p.Set(Pass)
	for _, c := range []net.Conn{c, fresh} {
		if _, err := hear(c, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v; it is reset when the fault ends", err)
		}
	}
}

func TestADelayIsKept(t *testing.T) {
	s := Test(t, echoSpec())
	p := TestProxy(t, s.Addr())
	c := dial(t, p.Addr())
	answers(t, c, "a")
	p.Delay(50 * time.Millisecond)
	start := time.Now()
	answers(t, c, "b")
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("there and back took %v", took)
	}
}

func TestAProxyWithoutAServerBreaksConnections(t *testing.T) {
	s := Test(t, echoSpec())
	p := TestProxy(t, s.Addr())
	s.Kill()
	refused(t, p.Addr(), "a connection is served without a server")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers(t, dial(t, p.Addr()), "b")
}
