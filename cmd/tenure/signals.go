package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/guard"
	"github.com/go-tenure/tenure/fsm"
)

// isHangup reports whether s is a signal that ends tenure too if it ends the command, or if there is none.
func isHangup(s os.Signal) bool { return s == syscall.SIGHUP || s == syscall.SIGQUIT }

// listen acts on signals until the function it returns is called.
func (r *runner) listen(helpers *sync.WaitGroup) (stop func()) {
	ends := make(chan os.Signal, 4)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !signal.Ignored(s) { // Under nohup, or in the background of a script, what was ignored stays so.
			signal.Notify(ends, s)
		}
	}
	passed := make(chan os.Signal, 16)
	for _, s := range guard.Forwarded() {
		signal.Notify(passed, s)
	}
	signal.Notify(passed, syscall.SIGPIPE) // Whoever reads our output may leave.
	done := make(chan struct{})
	helpers.Go(func() {
		asked := 0
		for {
			select {
			case s := <-ends:
				asked++
				r.end(s, asked)
			case s := <-passed:
				r.pass(s, &asked)
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(ends)
		signal.Stop(passed)
		close(done)
	}
}

// end acts on a signal that asks tenure to end, for the nth time.
func (r *runner) end(s os.Signal, n int) {
	g := r.child.Load()
	switch {
	case n == 1:
		r.log.Info("stopping", "signal", s.String())
		r.finish(0, nil)
	case g != nil:
		r.log.Warn("killing the command", "signal", s.String())
		g.Kill()
		if n > 2 {
			r.leave(s)
		}
	default:
		r.leave(s)
	}
}

// leave exits without waiting for anything. What runs is killed by its guardian; the lease is left to run out.
func (r *runner) leave(s os.Signal) {
	r.log.Error("leaving at once", "signal", s.String())
	n, _ := s.(syscall.Signal)
	os.Exit(128 + int(n))
}

// patience is for how long a stop waits for a store that has not said whether it granted the lease. The node would ask
// for longer; whoever pressed Ctrl-C would not.
const patience = time.Second

// stand has the node stand until it is gone, or until it only waits for a store that does not answer.
func (r *runner) stand(ctx context.Context) (gone bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- r.node.Run(ctx) }()
	select {
	case err := <-ended:
		return true, err
	case <-ctx.Done():
	}
	asked := time.Now()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return true, err
		case <-look.C:
		}
		st := r.campaign.Status()
		unheard := st.State == fsm.Acquiring || st.State == fsm.Releasing && r.doubt.Load()
		switch {
		case unheard && isPermanent(st.Err): // which has been said
			return false, nil
		case unheard && time.Since(asked) > patience:
			r.log.Warn("leaving without an answer of the store; what it may have granted runs out by itself",
				"key", r.o.key, "ttl", r.o.timing.TTL.String(), "err", st.Err)
			return false, nil
		}
	}
}

// pass passes a signal on to the command.
func (r *runner) pass(s os.Signal, asked *int) {
	n, _ := s.(syscall.Signal)
	switch g := r.child.Load(); {
	case n == syscall.SIGPIPE:
	case g != nil:
		g.sent.Store(int32(n))
		g.Signal(n)
	case isHangup(s):
		*asked++
		r.end(s, *asked)
	}
}
