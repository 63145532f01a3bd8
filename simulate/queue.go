package simulate

import "github.com/go-tenure/tenure/fsm"

// doing is what an item of the queue makes happen.
type doing uint8

const (
	wake    doing = iota // a node's machine wants to be woken
	reach                // a request reaches the store
	arrive               // an answer reaches a node
	notice               // a watch shows a node the record
	returns              // a node's work returns
	begin                // fault number call begins
	finish               // fault number call ends
	boot                 // a node starts
	carry                // the store carries out requests that had to wait
	heal                 // the cluster is left in peace
)

// item is something that will happen at an instant. It is a value: the queue allocates nothing while it does not grow.
type item struct {
	at   int64  // true time, ns
	tie  uint64 // the order among items of one instant is random
	call uint64
	term uint64
	left int64 // how much longer the lease lasts; -1: not known
	inc  uint32
	who  uint8 // whose record it is: holder's number + 1, 0 for nobody
	whoI uint32
	node uint8
	do   doing
	op   fsm.Op
	kind fsm.Kind
	late bool // was held back once already
	// of a request or its answer: the number that it has in the trace, over all incarnations of the node
	number uint32
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.tie < b.tie }

// queue is a heap of items, four children to a parent so that it is shallow, the first to happen at the top.
type queue struct{ items []item }

func (q *queue) push(it item) {
	q.items = append(q.items, it)
	i := len(q.items) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !it.before(&q.items[up]) {
			break
		}
		q.items[i] = q.items[up]
		i = up
	}
	q.items[i] = it
}

func (q *queue) pop() item {
	top := q.items[0]
	last := len(q.items) - 1
	it := q.items[last]
	q.items = q.items[:last]
	if last == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= last {
			break
		}
		least := first
		for k := first + 1; k < min(first+4, last); k++ {
			if q.items[k].before(&q.items[least]) {
				least = k
			}
		}
		if !q.items[least].before(&it) {
			break
		}
		q.items[i] = q.items[least]
		i = least
	}
	q.items[i] = it
	return top
}
