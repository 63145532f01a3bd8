package events

// Relays returns how many relay goroutines serve h: 0 or 1.
func Relays(h *Hub) int {
	if h.relay.Load() == nil {
		return 0
	}
	return 1
}

// After returns the H of s: the event after which the ring took over from the snapshot.
func After(s *Subscription) uint64 { return s.after }
