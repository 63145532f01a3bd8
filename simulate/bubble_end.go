package simulate

import (
	"fmt"
	"time"
)

// patience is how long the nodes have to end when the schedule has.
const patience = time.Hour

// finish ends all nodes and joins them. Work that is not heard any more has an hour of virtual time to return.
func (w *World) finish() {
	for _, p := range w.all {
		if !p.isGone() {
			p.bury()
		}
	}
	limit := w.world.now + int64(patience)
	for {
		if w.mocks {
			w.setMocks()
		}
		w.rest()
		left := w.left()
		if left == nil {
			return
		}
		if w.world.now >= limit {
			panic(fmt.Sprintf("simulate: the work of n%d has not returned %v after its context ended; a bubble cannot "+
				"end before it has: have it heed its context", left.number, patience))
		}
		at := limit
		if len(w.world.q.items) > 0 {
			at = min(at, w.world.q.items[0].at)
		}
		if at > w.world.now {
			w.sleep(at)
			continue
		}
		it := w.world.q.pop()
		if t := w.timers[it.call]; it.do == fire && t != nil && t.generation == it.term {
			delete(w.timers, it.call)
			t.fire()
		} else if it.do == rings && it.left > 0 {
			it.at = w.world.now + it.left
			w.world.push(it)
		}
	}
}

// left returns a process that has not ended, nil if all have.
func (w *World) left() *process {
	for _, p := range w.all {
		select {
		case <-p.ended:
		default:
			return p
		}
	}
	return nil
}
