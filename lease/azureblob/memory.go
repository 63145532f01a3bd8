package azureblob

import (
	"time"

	"github.com/go-tenure/tenure/lease"
)

// claim is one holder's interest in one key.
type claim struct {
	key    string
	holder lease.Holder // without metadata
}

func claimOf(key string, h lease.Holder) claim {
	h.Meta = ""
	return claim{key, h}
}

// attempt is a second step of an acquisition, of which requests may still be under way.
type attempt struct {
	term
	mixed bool // they ask for leases of different length
}

// term is a lease: under which id, and for how long the service leases.
type term struct {
	id  string
	ttl time.Duration
}

// try notes that a second step is under way, and reports whether one for the same term was before it, or is beside it.
func (n *native) try(c claim, t term) (again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.tried[c]
	if again = a.id == t.id; !again {
		a = attempt{term: t}
	}
	a.mixed = a.mixed || a.ttl != t.ttl
	n.tried[c] = a
	return again
}

// mixed reports whether requests for a lease of another length than t's may have come after that for t.
func (n *native) mixed(c claim, t term) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.tried[c]
	return a.term != t || a.mixed
}

// settled notes that no second step is under way.
func (n *native) settled(c claim) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tried, c)
}

// granted notes a lease.
func (n *native) granted(c claim, t term) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tried, c)
	n.held[c.key] = t
}

// has returns the lease that was granted.
func (n *native) has(key string) term {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[key]
}

// forget drops a lease, if it is still the one that was granted.
func (n *native) forget(key, id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held[key].id == id {
		delete(n.held, key)
	}
}
