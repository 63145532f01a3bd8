package simulate

// What a node does when it wakes, learns an answer or goes on depends mostly on nothing but itself. Nodes in the same
// state are met over and over again, in ever other surroundings. So what an event has made of a node is remembered by
// the node's words, unless it changed something else or was checked against something else.

// habit is what an event makes of a node.
type habit struct {
	of    [maxWords]uint64
	event uint32 // with what else it depends on; 0: nothing is remembered here
	to    packed
}

// habits is how many of them a scout remembers.
const habits = 1 << 13

// again reports whether what e makes of its node is remembered; then found knows it. If not, the caller does e, and
// found remembers it.
func (x *scout) again(e event) bool {
	x.known, x.habit = false, nil
	if x.raw != nil || x.s.cells { // then there is more to it than the words of a node
		return false
	}
	id := uint32(x.place(int(e.node)))<<16 | uint32(e.do)<<2 | uint32(e.slot)<<1
	if x.w.store.version != 0 {
		id |= 1
	}
	n := &x.kept.nodes[e.node]
	h := &x.habits[(n.hash+uint64(id)*0x9e3779b97f4a7c15)%habits]
	if h.event == id && h.of == n.words {
		x.known = true
		x.fresh.nodes[e.node] = h.to
		return true
	}
	h.event = 0
	h.of = n.words
	x.habit, x.pending, x.looked = h, id, false
	return false
}

// remember keeps what the event at hand has made of node i, if that depends on nothing else.
func (x *scout) remember(i int8, all bool) {
	if x.habit != nil && !all && !x.looked && x.w.surroundings == x.home.surroundings {
		x.habit.event, x.habit.to = x.pending, x.fresh.nodes[i]
	}
	x.known, x.habit = false, nil
}
