package events

// item is one event waiting in one subscription. The event itself is shared by all subscriptions and never written
// to. ord numbers the events that this subscription should have seen, from 1 on, so that a gap is a loss.
type item struct {
	t          *Transition
	ord        uint64
	prev, next *item
}

// queue is a list of waiting events, oldest first, that can give up one from its middle. Items are reused, so that
// a subscriber that keeps up costs no allocation.
type queue struct {
	first, last *item
	n           int
	spare       *item
}

func (q *queue) push(t *Transition, ord uint64) *item {
	i := q.spare
	if i == nil {
		i = new(item)
	}
	q.spare = nil
	*i = item{t: t, ord: ord, prev: q.last}
	if q.last == nil {
		q.first = i
	} else {
		q.last.next = i
	}
	q.last = i
	q.n++
	return i
}

func (q *queue) remove(i *item) {
	if i.prev == nil {
		q.first = i.next
	} else {
		i.prev.next = i.next
	}
	if i.next == nil {
		q.last = i.prev
	} else {
		i.next.prev = i.prev
	}
	*i = item{}
	q.spare = i
	q.n--
}
