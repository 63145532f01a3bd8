package simulate

import "testing"

// BenchmarkSchedules plays two minutes of five nodes under up to forty faults, with every rule checked, the digest and
// the coverage of cells, as a campaign does.
func BenchmarkSchedules(b *testing.B) {
	w := &world{}
	events, played, before := 0, 0, used(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.start(Plan(Scenario{Nodes: 5}, uint64(i)))
		w.run()
		events += w.events
		played++
	}
	spent := (used(b) - before).Seconds()
	b.ReportMetric(float64(played)/spent, "schedules/cpu-s")
	b.ReportMetric(float64(events)/spent, "events/cpu-s")
}

// Playing takes memory for the schedule once, and none for any event in it.
func TestAnEventAllocatesNothing(t *testing.T) {
	w := &world{}
	plans := make([]Scenario, 64)
	for i := range plans {
		plans[i] = Plan(Scenario{Nodes: 5}, uint64(i))
	}
	events, i := 0, 0
	play := func() {
		w.start(plans[i%len(plans)])
		w.run()
		events += w.events
		i++
	}
	for range plans { // until the queue is as long as it gets
		play()
	}
	events = 0
	if each := testing.AllocsPerRun(len(plans), play); each > 0 {
		t.Errorf("a schedule of %d events allocates %v times", events/(len(plans)+1), each)
	}
}
