// Package lease says what processes compete for: a [Lease] on a key, held by one [Holder] at a time, counted by a
// [Term].
//
// A [Manager] is the store: it grants, renews and releases leases. Everything above it relies on four properties, which
// package leasetest checks on any Manager:
//
//   - One holder. While a lease is live at the store nobody else is granted it.
//   - Rising terms. Every successful Acquire of a key returns a term greater than every earlier one of that key: across
//     holders, releases, expiry, the same holder taking it again and restarts of the store. The term is the fencing
//     token: a resource that refuses smaller terms than it has seen cannot be harmed by a leader that does not know yet
//     that it has been replaced.
//   - Conditional calls. Renew and Release act only if name, incarnation and term are all still those at the store,
//     decided in one atomic step there. A delayed or repeated request of an older term changes nothing.
//   - Three outcomes. A call is done (nil), refused ([ErrHeld], [ErrLost]) or unknown (any other error). Unknown is
//     never read as done nor as refused: the request may have been carried out, or may be carried out later. It is
//     settled by the next conditional call.
//
// Lengths of time are durations, never instants, because no clocks of two hosts are ever compared. A holder counts its
// lease from the moment before it sent the request, the store from the moment it carried the request out, so the
// holder's end is always the earlier of the two.
//
// # Reading order
//
// lease, then fsm (the election as a pure value), events (what observers see), actor (the election in real time).
//
// # Rejected
//
// A Lease with an expiry time in it: it invites comparing the clocks of two hosts, and a value that changes with time
// cannot be compared with ==. A Manager that keeps leases alive by itself: the holder must know which renewal
// succeeded and when it was sent, or it cannot know when to stop. A boolean result: "no" and "no answer" need opposite
// reactions. Deleting the record on release: the next term is counted from it.
package lease
