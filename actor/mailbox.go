package actor

import "sync"

// mailbox is where everybody leaves messages for the actor. Posting never blocks, so nobody can be held up by a busy
// actor nor deadlock with it. What it holds is bounded by those who post: one answer per call under way, one return per
// piece of work, one notice of news and one of requests per election, and the ticks of timers that fire while they are
// replaced.
type mailbox struct {
	mu     sync.Mutex
	queue  []message
	closed bool
	wake   chan struct{} // capacity 1
}

// post leaves m and reports whether the actor will read it.
func (b *mailbox) post(m message) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.queue = append(b.queue, m)
	first := len(b.queue) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// open reports whether the actor still reads.
func (b *mailbox) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closed
}

// take waits for messages and returns them all in the order of posting. It gives the emptied batch back for use.
func (b *mailbox) take(emptied []message) []message {
	clear(emptied)
	if cap(emptied) > 4096 { // do not keep the memory of a burst
		emptied = nil
	}
	for {
		b.mu.Lock()
		if batch := b.queue; len(batch) > 0 {
			b.queue = emptied[:0]
			b.mu.Unlock()
			return batch
		}
		b.mu.Unlock()
		<-b.wake
	}
}

// close ends it unless messages are left, or even then, and reports whether it did. Afterwards post returns false.
func (b *mailbox) close(evenThen bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = evenThen || len(b.queue) == 0
	return b.closed
}
