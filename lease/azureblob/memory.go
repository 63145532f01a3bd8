package azureblob

// try notes that the second step of an acquisition is under way, and returns the one before.
func (n *native) try(key string, t term) (before term) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before = n.tried[key]
	n.tried[key] = t
	return before
}

// settled notes that no second step is under way.
func (n *native) settled(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tried, key)
}

// granted notes a lease.
func (n *native) granted(key string, t term) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tried, key)
	n.held[key] = t
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
