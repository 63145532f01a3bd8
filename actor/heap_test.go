package actor

import (
	"math/rand/v2"
	"testing"

	"github.com/go-tenure/tenure/fsm"
)

func TestTheHeapHasTheEarliestFirstWhateverIsDoneToIt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h heap
		all := make([]Campaign, 1+random.IntN(40))
		at := make([]fsm.Instant, len(all))
		for i := range at {
			at[i] = fsm.Never
		}
		for range 400 {
			i := random.IntN(len(all))
			at[i] = fsm.Instant(random.IntN(20))
			if random.IntN(4) == 0 {
				at[i] = fsm.Never
			}
			h.set(&all[i], at[i])
			earliest, in := fsm.Never, 0
			for j := range all {
				earliest = min(earliest, at[j])
				if at[j] == fsm.Never {
					if all[j].place != 0 {
						t.Fatal("it thinks it is in the heap, and it is not")
					}
					continue
				}
				in++
				if p := int(all[j].place) - 1; h[p].c != &all[j] || h[p].at != at[j] {
					t.Fatalf("election %d is not where it thinks it is", j)
				}
			}
			if len(h) != in || in > 0 && h[0].at != earliest {
				t.Fatalf("%d in the heap, the first at %v; want %d, %v", len(h), h[0].at, in, earliest)
			}
		}
	}
}
