package simulate

import (
	"syscall"
	"testing"
	"time"
)

// used is the processor time that this process has used.
func used(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBubbles plays two minutes of three real nodes, under a pause and a partition, with work that does nothing
// but lead, and with work that writes once a second.
func BenchmarkBubbles(b *testing.B) {
	for _, work := range []string{"idle", "writes"} {
		b.Run(work, func(b *testing.B) {
			events, simulated, before := 0, time.Duration(0), used(b)
			_, _ = inTest(b.Name(), func(t *testing.T) {
				for seed := range uint64(b.N) {
					w := bubble(t, Cluster{Nodes: 3}, seed, func(w *World) {
						if work == "idle" {
							idle(w)
						} else {
							biller(w, w.FencedStore("ledger"))
						}
						tell(t, w, "pause leader at 20s for 40s; cut n1 at 30s for 10s")
					})
					mustPass(t, w)
					events += w.world.events
					simulated += w.scenario.End
				}
			})
			spent := (used(b) - before).Seconds()
			b.ReportMetric(float64(events)/spent, "events/cpu-s")
			b.ReportMetric(float64(b.N)/spent, "bubbles/cpu-s")
			b.ReportMetric(simulated.Seconds()/spent, "x-real-time")
		})
	}
}
