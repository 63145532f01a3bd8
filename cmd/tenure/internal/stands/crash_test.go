//go:build linux

package stands

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/fsm"
)

// asLeader makes the test binary a process that leads until it is killed. It prints when it sent each call that
// succeeded, on the clock that all processes of this host share.
const asLeader = "STANDS_TEST_LEADER"

func leadUntilKilled() error {
	ttl, err := time.ParseDuration(os.Getenv(asLeader))
	if err != nil {
		return err
	}
	m, err := store.Open(os.Getenv("TENURE_STORE"))
	if err != nil {
		return err
	}
	n, err := actor.New(actor.Config{Manager: m.Manager, Hooks: actor.Hooks{
		Called: func(_ string, op fsm.Op, took time.Duration, err error) {
			if err == nil && op != fsm.Release {
				fmt.Println(int64(hostclock.Now().Add(-took)))
			}
		},
	}})
	if err != nil {
		return err
	}
	work := func(ctx context.Context, _ *actor.Tenure) error { <-ctx.Done(); return nil }
	if _, err := n.Campaign(actor.Election{Key: "billing", TTL: ttl, Lead: work}); err != nil {
		return err
	}
	return n.Run(context.Background())
}

// BenchmarkCrash kills the leader, another process, with SIGKILL, and tells how long after the end of its lease the
// work of its successor runs. The end is a TTL after its last successful call was sent. ratio is the whole time from
// that call, in TTLs.
func BenchmarkCrash(b *testing.B) {
	each(b, func(b *testing.B, s *Stand) {
		var late latencies
		ratio := 0.0
		for b.Loop() {
			d, r := crash(b, s)
			late, ratio = append(late, d), max(ratio, r)
		}
		late.report(b, time.Millisecond, "late-ms")
		b.ReportMetric(ratio, "ratio-max")
	})
}

func crash(b *testing.B, s *Stand) (late time.Duration, ratio float64) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asLeader+"="+s.TTL.String(), "TENURE_STORE="+s.Address())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var sent hostclock.Instant
	next := func() bool {
		ok := lines.Scan()
		if ok {
			fmt.Sscan(lines.Text(), &sent)
		}
		return ok
	}
	for range 2 { // it leads, and has renewed
		if !next() {
			b.Fatal("the leader does not lead")
		}
	}
	follower := stand(b, s, "follower", s.TTL)
	time.Sleep(s.TTL / 2)
	if err := cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	for next() { // what it had still said
	}
	_ = cmd.Wait()
	led := <-follower.led
	at := hostclock.Now().Add(-time.Since(led))
	follower.stop()
	return at.Sub(sent.Add(s.TTL)), float64(at.Sub(sent)) / float64(s.TTL)
}
