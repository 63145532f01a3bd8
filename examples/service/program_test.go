package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newProgram returns a program that writes to out.
func newProgram(t *testing.T, name string, store lease.Manager, out *bytes.Buffer) *program {
	return &program{
		name: name, store: store, printf: log.New(out, "", 0).Printf,
		failed: func(err error) { t.Errorf("%s ended by itself: %v", name, err) },
	}
}

func start(t *testing.T, p *program) {
	t.Helper()
	began := time.Now()
	if err := p.Start(nil); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took != 0 {
		t.Errorf("Start took %v", took)
	}
	synctest.Wait()
}

func TestTheStandbyIsActiveBeforeStopReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory.Manager{Quiet: true}
		var ann, ben bytes.Buffer
		active, standby := newProgram(t, "ann", store, &ann), newProgram(t, "ben", store, &ben)
		start(t, active)
		start(t, standby)
		time.Sleep(35 * time.Second)
		if err := active.Stop(nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		time.Sleep(13 * time.Second)
		if err := standby.Stop(nil); err != nil {
			t.Error(err)
		}
		compare(t, "ann", ann.String(), `active, term 1
working, term 1
working, term 1
alive, active: true
no longer active: actor: term 1 of "active-passive" ended: stopped
stopped
`)
		compare(t, "ben", ben.String(), `alive, active: false
active, term 2
working, term 2
no longer active: actor: term 2 of "active-passive" ended: stopped
stopped
`)
	})
}

func compare(t *testing.T, who, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s printed\n%swant\n%s", who, got, want)
	}
}

func TestTheLengthsOfAnOrderlyEndFitIntoTheTimeThatWindowsGives(t *testing.T) {
	timing := timing()
	if err := timing.Check(); err != nil {
		t.Fatal(err)
	}
	timing = timing.Derive()
	if sum := timing.Grace + 2*timing.CallTimeout + joinLimit; sum > stopLimit-250*time.Millisecond {
		t.Errorf("Grace + 2*CallTimeout + JoinLimit = %v does not leave 250ms of %v", sum, stopLimit)
	}
	if stopLimit >= 5*time.Second {
		t.Errorf("Stop may take %v; Windows waits 5s", stopLimit)
	}
}

// stuck is a store whose Release never answers, not even when its context ends.
type stuck struct {
	lease.Manager
	free chan struct{}
}

func (s stuck) Release(context.Context, lease.Lease) error { <-s.free; return nil }

func TestAStoreThatHangsDoesNotKeepStopFromReturning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		free := make(chan struct{})
		p := newProgram(t, "ann", stuck{&memory.Manager{Quiet: true}, free}, &out)
		start(t, p)
		began := time.Now()
		if err := p.Stop(nil); !errors.Is(err, actor.ErrUnjoined) {
			t.Errorf("Stop returned %v, want it to name the call that hangs", err)
		}
		if took := time.Since(began); took >= stopLimit {
			t.Errorf("Stop took %v", took)
		}
		close(free)
		synctest.Wait()
	})
}

func TestStopSaysSoWhenTheWorkDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory.Manager{Quiet: true}
		var out bytes.Buffer
		p := newProgram(t, "ann", store, &out)
		free := make(chan struct{})
		p.printf = func(format string, _ ...any) {
			if strings.HasPrefix(format, "no longer") {
				<-free // the work is at something that takes long
			}
		}
		start(t, p)
		began := time.Now()
		if err := p.Stop(nil); err == nil || !strings.Contains(err.Error(), "has not returned") {
			t.Errorf("Stop returned %v", err)
		}
		if took := time.Since(began); took != stopLimit {
			t.Errorf("Stop took %v, want %v", took, stopLimit)
		}
		if r, err := store.Read(t.Context(), "active-passive"); err != nil || r.Vacant() {
			t.Errorf("the lease was given up while the work ran: %+v, %v", r, err)
		}
		close(free)
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestStartRefusesWhatCannotRun(t *testing.T) {
	p := newProgram(t, "a\nname", &memory.Manager{Quiet: true}, &bytes.Buffer{})
	if err := p.Start(nil); err == nil || !strings.Contains(err.Error(), "printable") {
		t.Errorf("Start returned %v, want the fault of the name", err)
	}
}

func TestTheServiceIsNotRunOrInstalledWithoutADirectory(t *testing.T) {
	for _, control := range []string{"", "install"} {
		if err := run(control, ""); err == nil || !strings.Contains(err.Error(), "directory") {
			t.Errorf("control %q: %v, want it to ask for a directory", control, err)
		}
	}
	if err := run("dance", "/tmp"); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("an unknown control: %v", err)
	}
}
