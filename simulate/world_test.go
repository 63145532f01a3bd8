package simulate

import (
	"fmt"
	"testing"
)

func TestSmoke(t *testing.T) {
	w := &world{}
	bad := 0
	kinds := map[string]int{}
	for seed := range uint64(20000) {
		s := Plan(Scenario{Nodes: 5}, seed)
		w.start(s)
		w.run()
		if v := w.check.violation; v.Rule != "" {
			bad++
			kinds[v.Rule]++
			if kinds[v.Rule] <= 3 {
				t.Log(seed, len(s.Faults), v)
			}
		}
	}
	t.Log(bad, kinds, w.check.seen)
}

func BenchmarkA(b *testing.B) {
	w := &world{}
	ev := 0
	for i := 0; b.Loop(); i++ {
		s := Plan(Scenario{Nodes: 5}, uint64(i))
		w.start(s)
		w.run()
		ev += w.events
	}
	b.ReportMetric(float64(ev)/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "schedules/s")
	_ = fmt.Sprint()
}
