// Package fsm is the election: one pure [Machine] that decides everything, and the table of its legal moves.
//
// [Machine.Step] takes one fact in (time has passed, the store has answered, the work has returned, somebody asks for
// something) and returns the next machine and at most one call to make. It reads no clock, starts nothing and
// allocates nothing, so the very same code runs in production (package actor), in the simulator and in the exhaustive
// exploration. The whole election is fsm.go, read from top to bottom.
//
// A host owes a machine four things, in any real or virtual time:
//
//   - inputs one at a time, each with an instant of one clock that never goes back;
//   - a Tick when [Machine.Wake] has come, repeated while Wake is not later than now;
//   - an answer for each call with a number, within its time limit if it can (a Tick after the limit does as well);
//   - work that starts when the state becomes Leader, that is told to stop when it is no longer Leader, and a Drained
//     when nothing of it runs any more. Work that does not exist is Drained as soon as Leader has been left.
//
// # How long a leader leads
//
// From one instant before the Acquire or Renew was sent, for [Timing.Lead]: TTL·(1-Drift) - Grace. The store starts
// counting later, when it carries the request out, and frees the lease a whole TTL after that. So there is a gap
// between the end of the work and the next leader, on whichever host, as long as clock rates differ by at most Drift
// and work returns within Grace.
//
// # Unknown
//
// A call without a usable answer may have been done. For a renewal that means: lead on, count only from the last
// renewal that is known to be done, and ask again. For an Acquire it means doubt: perhaps the lease is ours and nobody
// knows. While it goes on standing the machine settles that by asking again, since a Manager grants a lease anew to the
// holder that has it. When it is paused or stopped in doubt it asks once more to learn the term, and releases that.
//
// # Rejected
//
// Renewal as a transition: it is not news, and ten thousand a second would drown what is. Leader to Follower without
// Releasing: the node could stand and win again while its old work still runs. A second thread of control for the
// deadline: whichever input comes first after the deadline has to see it, or an answer that is already in the
// mailbox revives a lease that has run out. Releasing at once on loss and letting work finish later: another would lead
// beside it. Call numbers of few bits: they wrap, and an old answer is taken for a new one.
package fsm
