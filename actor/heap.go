package actor

import "github.com/go-tenure/tenure/fsm"

// heap orders the elections of a node by the instant at which each wants to be woken, the earliest first. Each election
// knows its place, so that moving one costs a look at its memory; that is why the heap is broad and low.
type heap []entry

// breadth is how many entries are below each. Four of them fit into a line of the cache.
const breadth = 4

type entry struct {
	at fsm.Instant
	c  *Campaign
}

// set puts c where at belongs, or takes it out if that is Never.
func (h *heap) set(c *Campaign, at fsm.Instant) {
	i := int(c.place) - 1
	switch {
	case at == fsm.Never && i < 0:
	case at == fsm.Never:
		last := len(*h) - 1
		moved := (*h)[last]
		(*h)[last] = entry{}
		*h = (*h)[:last]
		c.place = 0
		if i < last {
			(*h).put(i, moved)
			(*h).fix(i)
		}
	case i < 0:
		*h = append(*h, entry{})
		(*h).put(len(*h)-1, entry{at, c})
		(*h).fix(len(*h) - 1)
	case (*h)[i].at != at:
		(*h)[i].at = at
		(*h).fix(i)
	}
}

func (h heap) put(i int, e entry) {
	h[i] = e
	e.c.place = int32(i + 1)
}

// fix moves the entry at i up or down until the order holds again.
func (h heap) fix(i int) {
	e := h[i]
	for i > 0 {
		up := (i - 1) / breadth
		if h[up].at <= e.at {
			break
		}
		h.put(i, h[up])
		i = up
	}
	for {
		first := breadth*i + 1
		if first >= len(h) {
			break
		}
		down := first
		for j := first + 1; j < min(first+breadth, len(h)); j++ {
			if h[j].at < h[down].at {
				down = j
			}
		}
		if e.at <= h[down].at {
			break
		}
		h.put(i, h[down])
		i = down
	}
	h.put(i, e)
}
