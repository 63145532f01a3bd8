package fsm

// State is where an election stands on one node. The four states form a cycle; see the diagram in the README.
type State uint8

const (
	// Follower waits: somebody else leads, or nobody does yet.
	Follower State = iota
	// Acquiring has asked the store for the lease and awaits the answer.
	Acquiring
	// Leader holds the lease: the work runs and the lease is being renewed.
	Leader
	// Releasing led and does so no more: the work has been told to stop, and after it has returned the lease is released.
	Releasing

	states = iota
)

// Reason is why a state was left for another. Reasons are the labels in the state diagram.
type Reason uint8

const (
	// None is the reason of a Machine that has not moved yet.
	None Reason = iota

	// Due: the wait is over, it is time to stand.
	Due
	// Vacant: the store says that the lease is free.
	Vacant

	// Won: the lease was granted.
	Won
	// Held: refused, somebody else holds the lease.
	Held
	// Failed: no usable answer came.
	Failed
	// Late: granted, but so late that no time is left to lead.
	Late

	// Expired: our time ran out, by our own clock.
	Expired
	// Lost: the store says that the lease is not ours.
	Lost
	// Finished: the work returned.
	Finished
	// Resigned: leadership was given up on request; the node stands again after Poll and Retry.
	Resigned
	// HandedOver: leadership was given up on request, and the node stands back until another has led.
	HandedOver
	// Paused: the node was asked not to lead until it is resumed.
	Paused
	// Stopped: the election was asked to end.
	Stopped

	// Released: the store confirmed the release.
	Released
	// Gone: nothing was left to release.
	Gone
	// Abandoned: the store did not answer; the lease is left to run out.
	Abandoned

	reasons = iota
)

var stateNames = [states]string{"follower", "acquiring", "leader", "releasing"}

var reasonNames = [reasons]string{
	"none", "due", "vacant", "won", "held", "failed", "late", "expired", "lost", "finished", "resigned",
	"handed_over", "paused", "stopped", "released", "gone", "abandoned",
}

// String returns the state's name in lower case.
func (s State) String() string {
	if int(s) < states {
		return stateNames[s]
	}
	return "unknown state"
}

// String returns the reason's name in lower case.
func (r Reason) String() string {
	if int(r) < reasons {
		return reasonNames[r]
	}
	return "unknown reason"
}
