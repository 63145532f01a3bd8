package simulate

import (
	"syscall"
	"testing"
)

// BenchmarkExplore counts by the processor time of all threads, since an exploration uses every processor. Larger
// worlds are measured by "make prove", where the time goes into what does not fit into caches.
func BenchmarkExplore(b *testing.B) {
	for _, c := range []struct {
		name string
		s    Small
	}{
		{"crash", Small{Nodes: 2, Crashes: 1}},
		{"three", Small{Nodes: 3}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var states, events int
			begin := processorSeconds(b)
			for b.Loop() {
				r, err := c.s.Explore()
				if err != nil || r.Violation.Rule != "" {
					b.Fatal(err, r.Violation)
				}
				states += r.States
				events += r.Steps
			}
			took := processorSeconds(b) - begin
			b.ReportMetric(float64(states)/took, "states/CPU-s")
			b.ReportMetric(float64(events)/took, "events/CPU-s")
		})
	}
}

func processorSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
